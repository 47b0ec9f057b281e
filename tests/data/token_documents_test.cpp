#include "data/token_documents.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/documents.h"
#include "data/prepare.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

using Ids = std::vector<int32_t>;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string llmc_file(int32_t magic, int32_t version, const Ids& tokens) {
  std::string out;
  for (int i = 0; i < 256; ++i) {
    const int32_t field[] = {magic, version, static_cast<int32_t>(tokens.size())};
    put(out, i < 3 ? field[i] : 0);
  }
  for (const int32_t token : tokens) {
    if (magic == 20240520) {
      put(out, static_cast<uint16_t>(token));
    } else {
      put(out, static_cast<uint32_t>(token));
    }
  }
  return out;
}

// Sequences, as Megatron-LM's builder writes them in the type of code 8 (uint16), and the first
// sequence of each document.
struct Megatron {
  explicit Megatron(const std::vector<Ids>& sequences, const std::vector<int64_t>& documents) {
    index.assign("MMIDIDX\0\0", 9);
    put(index, uint64_t{1});
    put(index, uint8_t{8});
    put(index, static_cast<int64_t>(sequences.size()));
    put(index, static_cast<int64_t>(documents.size()));
    for (const Ids& one : sequences) put(index, static_cast<int32_t>(one.size()));
    for (const Ids& sequence : sequences) {
      put(index, static_cast<int64_t>(ids.size()));
      for (const int32_t id : sequence) put(ids, static_cast<uint16_t>(id));
    }
    for (const int64_t document : documents) put(index, document);
  }
  std::string index;
  std::string ids;
};

std::vector<Ids> read_ids(const std::string& path, FormatChoice format = FormatChoice::kAuto) {
  DocumentReader reader(list_source_files({{path, "", format}}));
  std::vector<Ids> all;
  Document document;
  while (reader.next(document)) {
    EXPECT_TRUE(document.tokens_of);
    Ids& ids = all.emplace_back(document.text.size() / 4);
    std::memcpy(ids.data(), document.text.data(), document.text.size());
  }
  return all;
}

// Defect: documents cut at other places than llm.c's, its delimiter left in them, the wide form
// read as the narrow one.
TEST(LlmcTokens, DocumentsBeginBehindTheDelimiter) {
  const TemporaryFolder folder;
  const std::string narrow =
      folder.write("a.bin", llmc_file(20240520, 1, {50256, 1, 2, 50256, 50256, 65535, 50256}));
  EXPECT_EQ(read_ids(narrow), (std::vector<Ids>{{1, 2}, {65535}}));
  const std::string wide =
      folder.write("b.bin", llmc_file(20240801, 7, {5, 128000, 100000, 50256, 128000, 7}));
  EXPECT_EQ(read_ids(wide), (std::vector<Ids>{{5}, {100000, 50256}, {7}}));
}

TEST(LlmcTokens, BrokenFilesAreRefused) {
  const TemporaryFolder folder;
  const std::string good = llmc_file(20240520, 1, {50256, 1, 2});
  const auto error = [&](const std::string& content) {
    const std::string path = folder.write("a.bin", content);
    return message_of<DataError>([&] { read_ids(path, FormatChoice::kLlmc); });
  };
  EXPECT_NE(error(good.substr(0, good.size() - 1)).find("bytes"), std::string::npos);
  EXPECT_NE(error(good + "x").find("bytes"), std::string::npos);
  EXPECT_NE(error("abc").find("a.bin"), std::string::npos);
  EXPECT_NE(error(llmc_file(1, 1, {1})).find("magic"), std::string::npos);
  EXPECT_NE(error(llmc_file(20240520, 2, {1})).find("version"), std::string::npos);
  std::string negative = good;
  negative[11] = '\xFF';
  EXPECT_NE(error(negative).find("bytes"), std::string::npos);
  EXPECT_NE(error(llmc_file(20240801, 7, {-1})).find("token 0"), std::string::npos);
}

// Defect: sequences of a document that are not joined, places that are not those of the index, a
// pair that is read twice from a folder.
TEST(MegatronTokens, DocumentsAreTheirSequences) {
  const TemporaryFolder folder;
  const Megatron files({{1, 2}, {3}, {}, {65535, 9}}, {0, 2, 3, 4});
  folder.write("c.idx", files.index);
  folder.write("c.bin", files.ids);
  const std::vector<Ids> expected = {{1, 2, 3}, {65535, 9}};  // the empty one is left out
  for (const char* path : {"c.idx", "c.bin", "", "c.*"})
    EXPECT_EQ(read_ids((folder / path).string()), expected) << path;
  const auto fingerprint = [&] {
    return content_fingerprint(list_source_files({{folder.path().string(), ""}}));
  };
  const uint64_t before = fingerprint();
  folder.write("c.idx", Megatron({{1, 2}, {3}, {}, {65535, 9}}, {0, 1, 3, 4}).index);
  EXPECT_NE(fingerprint(), before);
}

// Defect: an index that names the same ids again and again expands to gigabytes: 196 KB that took
// 7.8.
TEST(MegatronTokens, SequencesThatOverlapAreRefused) {
  const TemporaryFolder folder;
  const Megatron files({{1, 2}, {1, 2}, {1, 2}}, {0, 3});
  std::string index = files.index;
  const size_t places_at = 34 + 3 * sizeof(int32_t);
  index.replace(places_at, 3 * sizeof(int64_t), std::string(3 * sizeof(int64_t), '\0'));
  folder.write("c.idx", index);
  folder.write("c.bin", files.ids.substr(0, files.ids.size() / 3));
  const std::string message = message_of<DataError>([&] { read_ids((folder / "c.bin").string()); });
  EXPECT_NE(message.find("c.idx: its sequences overlap"), std::string::npos) << message;
}

// Every byte of the index changed, and every length of both: an error or other documents, never a
// crash.
TEST(MegatronTokens, BrokenFilesAreRefused) {
  const TemporaryFolder folder;
  const Megatron files({{1, 2}, {3}, {65535, 9}}, {0, 2, 3});
  const auto attempt = [&](const std::string& index, const std::string& ids) {
    folder.write("c.idx", index);
    folder.write("c.bin", ids);
    try {
      read_ids((folder / "c.bin").string());
      return false;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("c."), std::string::npos);
      return true;
    }
  };
  for (size_t i = 0; i < files.index.size(); ++i) {
    for (const char bits : {'\x01', '\x80', '\xFF'}) {
      std::string changed = files.index;
      changed[i] = static_cast<char>(changed[i] ^ bits);
      attempt(changed, files.ids);
    }
    EXPECT_TRUE(attempt(files.index.substr(0, i), files.ids)) << i;
  }
  for (size_t i = 0; i < files.ids.size(); ++i)
    EXPECT_TRUE(attempt(files.index, files.ids.substr(0, i))) << i;
}

// Defect: ids of another tokenizer that are trained on, an end token that stands twice, tokens
// without a tokenizer.
TEST(TokenSources, ArePreparedWithTheTokenizerThatMadeThem) {
  const TemporaryFolder folder;
  DataConfig data;
  data.cache = (folder / "cache").string();
  data.sequence_length = 4;
  data.validation_fraction = 0.0;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "the cat and the dog " + std::to_string(i) + "\n%\n";
  data.sources = {{folder.write("text", text), "%"}};
  TokenizerConfig config;
  config.vocab_size = 300;
  const PreparedData from_text = prepare(data, config, {});
  const int32_t start = from_text.tokenizer.end_of_text();

  std::vector<Ids> sequences;
  std::vector<int64_t> documents = {0};
  const auto offsets = from_text.train.document_offsets();
  for (size_t d = 0; d + 1 < offsets.size(); ++d) {
    Ids& ids = sequences.emplace_back(offsets[d + 1] - offsets[d]);  // with its start token
    from_text.train.read(static_cast<int64_t>(offsets[d]), ids);
    EXPECT_EQ(ids.front(), start);
    documents.push_back(static_cast<int64_t>(d) + 1);
  }
  const Megatron files(sequences, documents);
  folder.write("m/c.idx", files.index);
  folder.write("m/c.bin", files.ids);
  data.sources = {{(folder / "m").string(), ""}};
  const std::string without = message_of<DataError>([&] { prepare(data, config, {}); });
  EXPECT_NE(without.find("tokenizer.path"), std::string::npos) << without;
  config.path = from_text.tokenizer_path.parent_path().string();
  const PreparedData from_tokens = prepare(data, config, {});
  EXPECT_EQ(from_tokens.train.num_tokens(), from_text.train.num_tokens());
  EXPECT_EQ(from_tokens.train.header().num_text_bytes, from_text.train.header().num_text_bytes);
  EXPECT_EQ(from_tokens.train.fingerprint(), from_text.train.fingerprint());

  folder.write("l/a.bin", llmc_file(20240520, 1, {50256, 1, 2, 3, 4, 5, 301}));
  data.sources = {{(folder / "l").string(), ""}};
  const std::string foreign = message_of<DataError>([&] { prepare(data, config, {}); });
  EXPECT_NE(foreign.find("301"), std::string::npos) << foreign;
  EXPECT_NE(foreign.find("l/a.bin"), std::string::npos) << foreign;
}

}  // namespace
}  // namespace lmtrain
