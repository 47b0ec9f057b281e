#include "data/prepare.h"

#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "data/documents.h"
#include "data/tokenise.h"
#include "data/validation_split.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

const TokenizerConfig kTokenizer = {TokenizerKind::kBpe, 300, ""};

// `num_documents` of a few words each, "%" between them.
std::string some_documents(int num_documents, uint64_t seed) {
  static constexpr const char* kWords[] = {"the", "cat", "sat", "on", "a", "mat", "and", "slept"};
  std::mt19937_64 random(seed);
  std::string text;
  for (int i = 0; i < num_documents; ++i) {
    text += cat("document ", i, ":");
    for (uint64_t word = 0; word < 5 + random() % 20; ++word)
      text += cat(" ", kWords[random() % 8]);
    text += "\n%\n";
  }
  return text;
}

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() {
    folder_.write("text/a", some_documents(150, 1));
    folder_.write("text/b", some_documents(150, 2));
    config_.sources = {{(folder_ / "text").string(), "%"}};
    config_.validation_fraction = 0.2;
    config_.sequence_length = 16;
    config_.cache = (folder_ / "cache").string();
  }

  PreparedData run(int num_threads = 2) const {
    return prepare(config_, kTokenizer, {.num_threads = num_threads});
  }
  std::string refusal() const {
    return message_of<DataError>([&] { run(); });
  }

  // The stages in which work was done.
  std::map<std::string, int> stages_of_run() const {
    std::map<std::string, int> stages;
    prepare(config_, kTokenizer,
            {.progress = [&](std::string_view stage, double) { ++stages[std::string(stage)]; }});
    return stages;
  }

  TemporaryFolder folder_;
  DataConfig config_;
};

// File name to content, of everything in the cache but locks.
std::map<std::string, std::string> content_of(const fs::path& cache) {
  std::map<std::string, std::string> content;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(cache)) {
    if (entry.is_regular_file() && entry.path().extension() != ".lock") {
      content[entry.path().lexically_relative(cache).string()] = read_file(entry.path());
    }
  }
  return content;
}

void flip_byte(const fs::path& path, int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(~file.get());
  file.seekp(at);
  file.put(byte);
}

std::vector<std::string> documents_of(const TokenFile& file, const Tokenizer& tokenizer) {
  std::vector<std::string> documents;
  const auto offsets = file.document_offsets();
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    std::vector<int32_t> ids(offsets[i + 1] - offsets[i]);
    file.read(static_cast<int64_t>(offsets[i]), ids);
    EXPECT_EQ(ids.front(), tokenizer.end_of_text());
    ids.erase(ids.begin());
    documents.push_back(tokenizer.decode(ids));
  }
  return documents;
}

// Defect: a document larger than a chunk that is cut where words go on, counted twice, or split
// between training and validation.
TEST_F(PrepareTest, LargeDocumentsAreTokenisedInPieces) {
  std::string text;
  for (int i = 0; text.size() < (size_t{5} << 20); ++i)
    text += "line " + std::to_string(i * 7919) +
            (i % 3 == 0   ? ".\n"
             : i % 3 == 1 ? "\n"
                          : "  \n\n");
  const TemporaryFolder folder;
  DataConfig data;
  data.cache = (folder / "cache").string();
  data.sequence_length = 8;
  data.validation_fraction = 0.0;
  data.sources = {{folder.write("large", text), ""}};
  TokenizerConfig config;
  config.vocab_size = 400;
  const PreparedData prepared = prepare(data, config, {.num_threads = 3});
  EXPECT_EQ(prepared.train.header().num_documents, 1);
  EXPECT_EQ(prepared.train.header().num_text_bytes, static_cast<int64_t>(text.size()));
  std::vector<int32_t> expected = {prepared.tokenizer.end_of_text()};
  prepared.tokenizer.encode(text, expected);
  std::vector<int32_t> found(static_cast<size_t>(prepared.train.num_tokens()));
  prepared.train.read(0, found);
  EXPECT_TRUE(found == expected);
}

// Defect: documents lost, doubled, cut or in both parts.
TEST_F(PrepareTest, EveryDocumentIsInOnePartWhole) {
  const PreparedData prepared = run();
  std::multiset<std::string> found;
  for (const std::string& text : documents_of(prepared.train, prepared.tokenizer)) {
    EXPECT_FALSE(is_for_validation(text, 0.2));
    found.insert(text);
  }
  for (const std::string& text : documents_of(*prepared.validation, prepared.tokenizer)) {
    EXPECT_TRUE(is_for_validation(text, 0.2));
    found.insert(text);
  }
  std::multiset<std::string> expected;
  DocumentReader reader(list_source_files(config_.sources));
  for (Document document; reader.next(document);) expected.emplace(document.text);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(prepared.train.header().num_text_bytes + prepared.validation->header().num_text_bytes,
            reader.num_text_bytes());
  EXPECT_EQ(prepared.tokenizer.vocab_size(), 300);
  EXPECT_EQ(Tokenizer::load(prepared.tokenizer_path).hash(), prepared.tokenizer.hash());
}

// Defect: files that depend on the number of threads.
TEST_F(PrepareTest, ThreadsDoNotChangeTheFiles) {
  for (int i = 0; i < 6; ++i) {  // some chunks of text
    folder_.write(cat("text/more", i), some_documents(8000, static_cast<uint64_t>(i) + 10));
  }
  run(1);
  const auto of_one_thread = content_of(config_.cache);
  EXPECT_EQ(of_one_thread.size(), 6U);
  config_.cache += "-3";
  run(3);
  EXPECT_EQ(content_of(config_.cache), of_one_thread);
}

// Defect: a split that depends on the order of documents, or does not keep the fraction.
TEST(Split, KeepsTheFractionAndDependsOnTheTextOnly) {
  int num_validation = 0;
  for (int i = 0; i < 20000; ++i)
    num_validation += is_for_validation(cat("document ", i), 0.1) ? 1 : 0;
  EXPECT_NEAR(num_validation, 2000, 5 * 42);  // five standard deviations
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(is_for_validation(cat("document ", i), 0.0));
    EXPECT_LE(is_for_validation(cat("document ", i), 0.1),
              is_for_validation(cat("document ", i), 0.2));
  }
}

// Defect: a second run repeats the work, or a run with other content, another fraction or another
// tokenizer reuses the old entry.
TEST_F(PrepareTest, TheCacheIsKeyedByContent) {
  EXPECT_EQ(stages_of_run().size(), 3U);
  EXPECT_EQ(stages_of_run().size(), 1U);  // only the sources are read
  config_.sequence_length = 32;
  EXPECT_EQ(stages_of_run().size(), 1U);
  config_.validation_fraction = 0.3;
  const auto stages = stages_of_run();
  EXPECT_EQ(stages.count("training tokenizer"), 0U);
  EXPECT_EQ(stages.count("tokenising"), 1U);
  EXPECT_EQ(stages_of_run().size(), 1U);
  folder_.write("text/a", some_documents(151, 1));
  EXPECT_EQ(stages_of_run().size(), 3U);
}

// Defect: documents are kept for validation although none is wanted.
TEST_F(PrepareTest, WithoutValidationAllIsForTraining) {
  config_.validation_fraction = 0.0;
  const PreparedData prepared = run();
  EXPECT_FALSE(prepared.validation.has_value());
  EXPECT_EQ(prepared.keys.validation_fingerprint, 0U);
  EXPECT_EQ(prepared.train.header().num_documents, 300);
  EXPECT_EQ(open_prepared(config_, prepared.keys).train.fingerprint(),
            prepared.train.fingerprint());
}

// Defect: tokenizer.path is not used as it is.
TEST_F(PrepareTest, ALoadedTokenizerIsUsed) {
  const PreparedData first = run();
  const fs::path own = folder_ / "own";
  fs::create_directory(own);
  fs::copy_file(first.tokenizer_path, own / "tokenizer.json");
  folder_.write("text/a", some_documents(200, 5));
  const PreparedData second = prepare(config_, {TokenizerKind::kBpe, 300, own.string()}, {});
  EXPECT_EQ(second.tokenizer.hash(), first.tokenizer.hash());
  EXPECT_NE(second.train.fingerprint(), first.train.fingerprint());
  EXPECT_NE(message_of<DataError>([&] {
              prepare(config_, {TokenizerKind::kBpe, 300, (folder_ / "none").string()}, {});
            }).find("tokenizer.path"),
            std::string::npos);
}

// Defect: a damaged entry is trained on, or stops every run until a person deletes it.
TEST_F(PrepareTest, ADamagedEntryIsMadeAgain) {
  const PreparedKeys keys = run().keys;
  const auto good = content_of(config_.cache);
  for (const auto& [name, content] : good) {
    const auto size = static_cast<int64_t>(content.size());
    for (const int64_t at : {std::min<int64_t>(3, size - 1), size / 2}) {
      flip_byte(fs::path(config_.cache) / name, at);
      ASSERT_NE(content_of(config_.cache), good);
      run();
      EXPECT_EQ(content_of(config_.cache), good) << name;
    }
    fs::remove(fs::path(config_.cache) / name);
    EXPECT_EQ(run().keys.train_fingerprint, keys.train_fingerprint);
    EXPECT_EQ(content_of(config_.cache), good) << name;
  }
}

// Defect: another whole tokenizer in the entry's place encodes to ids that mean something else.
TEST_F(PrepareTest, ASwappedTokenizerIsMadeAgain) {
  const PreparedData first = run();
  const PreparedData other = prepare(config_, {.vocab_size = 290}, {});
  fs::copy_file(other.tokenizer_path, first.tokenizer_path, fs::copy_options::overwrite_existing);
  EXPECT_THROW(open_prepared(config_, first.keys), DataError);
  EXPECT_EQ(run().tokenizer.hash(), first.tokenizer.hash());
}

// Defect: a kill while the cache is filled leaves half an entry that the next run takes for whole.
TEST_F(PrepareTest, AKillAtAnyMomentIsHarmless) {
  run();
  const auto good = content_of(config_.cache);
  const auto num_reports = [&] {
    fs::remove_all(config_.cache);
    int num = 0;
    prepare(config_, kTokenizer, {.progress = [&](std::string_view, double) { ++num; }});
    return num;
  }();
  for (int kill_at = 1; kill_at <= num_reports; kill_at += 1 + num_reports / 12) {
    fs::remove_all(config_.cache);
    const pid_t child = fork();
    if (child == 0) {
      int num = 0;
      prepare(config_, kTokenizer, {.progress = [&](std::string_view, double) {
                if (++num == kill_at) _exit(9);
              }});
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_EQ(WEXITSTATUS(status), 9) << "the child was not killed at report " << kill_at;
    run();
    EXPECT_EQ(content_of(config_.cache), good) << "killed at report " << kill_at;
  }
}

// Defect: two runs that start at once damage each other's files.
TEST_F(PrepareTest, ProcessesAtTheSameTimeShareTheWork) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(fork());
    if (children.back() == 0) {
      try {
        run();
        _exit(0);
      } catch (const std::exception&) {
        _exit(1);
      }
    }
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(stages_of_run().size(), 1U);
  EXPECT_EQ(content_of(config_.cache).size(), 6U);
}

// Defect: ranks train on different data without an error.
TEST_F(PrepareTest, OtherRanksOpenTheSameFilesOrSaySo) {
  const PreparedData prepared = run();
  const PreparedData opened = open_prepared(config_, prepared.keys);
  EXPECT_EQ(opened.train.fingerprint(), prepared.train.fingerprint());
  EXPECT_EQ(opened.validation->fingerprint(), prepared.validation->fingerprint());
  EXPECT_EQ(opened.tokenizer.hash(), prepared.tokenizer.hash());

  const auto refusal_of = [](const DataConfig& config, const PreparedKeys& keys) {
    return message_of<DataError>([&] { open_prepared(config, keys); });
  };
  PreparedKeys other = prepared.keys;
  other.validation_fingerprint ^= 1;
  EXPECT_NE(refusal_of(config_, other).find("do not see the same files"), std::string::npos);
  DataConfig elsewhere = config_;
  elsewhere.cache = (folder_ / "elsewhere").string();
  EXPECT_NE(refusal_of(elsewhere, prepared.keys).find("data.cache"), std::string::npos);
}

// Defect: too little text ends in a crash or an endless loop instead of a line
// saying what to change.
TEST_F(PrepareTest, TooLittleTextSaysHowMuchIsNeeded) {
  config_.sequence_length = 100000;
  EXPECT_NE(refusal().find("at least 100001"), std::string::npos);
  config_.sequence_length = 16;
  config_.validation_fraction = 1e-9;
  EXPECT_NE(refusal().find("none fell into validation"), std::string::npos);
  EXPECT_NE(refusal().find("data.validation_fraction"), std::string::npos);
}

// Defect: one document, or a few, of which a hash chooses none, or all, for validation.
TEST_F(PrepareTest, OfFewDocumentsTheLastPartIsForValidation) {
  for (const int num_files : {1, 3}) {
    config_.cache = (folder_ / cat("cache", num_files)).string();
    config_.sources.clear();
    std::vector<std::string> whole;
    for (int i = 0; i < num_files; ++i) {
      whole.push_back(some_documents(40, static_cast<uint64_t>(i)));
      folder_.write(cat("few", num_files, "/", i), whole.back());
    }
    config_.sources = {{(folder_ / cat("few", num_files)).string(), ""}};
    const PreparedData prepared = run();
    std::string joined;
    for (const std::string& text : documents_of(prepared.train, prepared.tokenizer)) joined += text;
    const size_t cut = joined.size();
    for (const std::string& text : documents_of(*prepared.validation, prepared.tokenizer))
      joined += text;
    std::string expected;
    for (const std::string& text : whole) expected += text;
    EXPECT_EQ(joined, expected);
    const size_t length = expected.size();
    EXPECT_GE(cut, length * 8 / 10);
    EXPECT_LE(cut, length * 8 / 10 + 150);  // a line later
    EXPECT_EQ(joined[cut - 1], '\n');
  }
}

// Defect: a source of one document that is never validated beside a source of many.
TEST_F(PrepareTest, EachSourceHasItsPartOfTheValidation) {
  config_.sources.push_back({folder_.write("one", some_documents(50, 3)), ""});
  const PreparedData prepared = run();
  ASSERT_EQ(prepared.validation_documents.size(), 2U);
  EXPECT_GT(prepared.validation_documents[0], 30);
  EXPECT_EQ(prepared.validation_documents[1], 1);
  EXPECT_EQ(prepared.train_documents[1], 1);
}

// Defect: a tokenizer's own beginning token that training never shows the model.
TEST_F(PrepareTest, DocumentsBeginAndEndAsTheTokenizerSays) {
  const std::string llama3 =
      std::string(LMTRAIN_SOURCE_DIR) + "/tests/fixtures/tokenizer/tokenizer_llama3.json";
  const PreparedData prepared = prepare(config_, {TokenizerKind::kBpe, 300, llama3}, {});
  const int32_t begin = prepared.tokenizer.special_token("<|begin_of_text|>");
  const int32_t end = prepared.tokenizer.special_token("<|end_of_text|>");
  EXPECT_EQ(prepared.train.header().start_token, begin);
  EXPECT_EQ(prepared.train.header().end_token, end);
  std::vector<int32_t> ids(static_cast<size_t>(prepared.train.num_tokens()));
  prepared.train.read(0, ids);
  const int64_t num_documents = prepared.train.header().num_documents;
  EXPECT_EQ(std::ranges::count(ids, begin), num_documents);
  EXPECT_EQ(std::ranges::count(ids, end), num_documents);
  for (const uint64_t offset : prepared.train.document_offsets()) {
    EXPECT_TRUE(offset == 0 || ids[offset - 1] == end) << offset;
    EXPECT_TRUE(offset == ids.size() || ids[offset] == begin) << offset;
  }
}

// Defect: text that was written with special tokens, in which training finds none of them.
TEST_F(PrepareTest, SpecialTokensOfASourceAreMatchedOnRequest) {
  folder_.write("text/a",
                "one <|endoftext|> two\n%\nthree four five six seven eight nine ten\n%\n");
  config_.validation_fraction = 0.0;
  const auto num_ends = [&] {
    const PreparedData data = run();
    std::vector<int32_t> ids(static_cast<size_t>(data.train.num_tokens()));
    data.train.read(0, ids);
    return std::ranges::count(ids, data.tokenizer.end_of_text());
  };
  const auto as_text = num_ends();
  config_.sources[0].special_tokens = SpecialTokenText::kMatched;
  EXPECT_EQ(num_ends(), as_text + 1);
}

// Defect: copies of one document, of which a hash puts all on one side.
TEST_F(PrepareTest, CopiesOfOneDocumentAreFew) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "the cat sat on the mat and slept\n%\n";
  config_.sources = {{folder_.write("copies", text), "%"}};
  const PreparedData prepared = run();
  EXPECT_EQ(prepared.train.header().num_documents, 80);
  EXPECT_EQ(prepared.validation->header().num_documents, 20);
}

// Defect: sources without text give an empty token file, or a cache entry that fails later.
TEST_F(PrepareTest, SourcesWithoutTextAreRefused) {
  folder_.write("empty/a", "%\n%\n");
  folder_.write("empty/b", "");
  config_.sources[0].path = (folder_ / "empty").string();
  EXPECT_NE(refusal().find("hold no text"), std::string::npos);
  for (const fs::directory_entry& entry : fs::directory_iterator(config_.cache)) {
    EXPECT_EQ(entry.path().extension(), ".lock") << entry.path();
  }
}

// Defect: sources that change under way are cached under the key of their old content.
TEST_F(PrepareTest, SourcesThatChangeMeanwhileAreRefused) {
  const auto change = [&](std::string_view stage, double) {
    if (stage == "training tokenizer") folder_.write("text/b", some_documents(150, 3));
  };
  EXPECT_THROW(prepare(config_, kTokenizer, {.progress = change}), DataError);
  for (const auto& [name, content] : content_of(config_.cache))
    ADD_FAILURE() << name << " was made of two contents and stays in the cache";
  run();
  EXPECT_EQ(stages_of_run().size(), 1U);
}

}  // namespace
}  // namespace lmtrain
