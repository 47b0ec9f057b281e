#include "data/token_file.h"

#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/token_file_writer.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr TokenizerIdentity kSmall = {1000, -1, 0, 0xABCDEF};
constexpr TokenizerIdentity kLarge = {100000, -1, 0, 0xABCDEF};

void write_tokens(const std::filesystem::path& path, const TokenizerIdentity& tokenizer,
                  const std::vector<std::vector<int32_t>>& documents) {
  TokenFileWriter writer(path, tokenizer);
  for (const std::vector<int32_t>& document : documents) {
    writer.add_document(document, static_cast<int64_t>(document.size()) * 3);
  }
  writer.commit();
}

std::vector<int32_t> read_tokens(const TokenFile& file) {
  std::vector<int32_t> tokens(static_cast<size_t>(file.num_tokens()));
  file.read(0, tokens);
  return tokens;
}

// Three documents, as bytes that a test may damage.
class DamagedTokenFile : public testing::Test {
 protected:
  DamagedTokenFile() {
    write_tokens(path_, kSmall, {{5, 6, 7}, {8}, {9, 10}});
    bytes_ = read_file(path_);
  }

  void put(const std::string& bytes) { folder_.write("file.tokens", bytes); }
  // Applies `change` to the header and makes all hashes that depend on it right.
  void put_header(const std::function<void(TokenFileHeader&)>& change) {
    TokenFileHeader header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    change(header);
    header.header_hash = hash_header(header);
    TokenFileFooter footer;
    const size_t footer_at = bytes_.size() - sizeof footer;
    std::memcpy(&footer, bytes_.data() + footer_at, sizeof footer);
    footer.fingerprint = hash_parts(header, footer);
    std::string changed = bytes_;
    std::memcpy(changed.data(), &header, sizeof header);
    std::memcpy(changed.data() + footer_at, &footer, sizeof footer);
    put(changed);
  }
  std::string refusal() {
    return message_of<DataError>([&] { TokenFile::open(path_).verify(); });
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.tokens";
  std::string bytes_;
};

// Defect: tokens, documents or counts that come back other than they were written.
TEST(TokenFile, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  for (const TokenizerIdentity& tokenizer : {kSmall, kLarge}) {
    const int32_t last = static_cast<int32_t>(tokenizer.vocab_size) - 1;
    {
      TokenFileWriter writer(folder / "file", tokenizer);
      writer.add_document(std::vector<int32_t>{5, last, 7}, 11);
      writer.add_document(std::vector<int32_t>{}, 1);
      writer.add_document(std::vector<int32_t>{8}, 2);
      writer.add_empty_documents(4);
      writer.commit();
    }
    const TokenFile file = TokenFile::open(folder / "file");
    file.verify();
    EXPECT_EQ(read_tokens(file), (std::vector<int32_t>{5, last, 7, 0, 0, 8, 0}));
    const auto offsets = file.document_offsets();
    EXPECT_EQ(std::vector<uint64_t>(offsets.begin(), offsets.end()),
              (std::vector<uint64_t>{0, 4, 5, 7}));
    EXPECT_EQ(file.header().token_bytes, tokenizer.vocab_size == 1000 ? 2 : 4);
    EXPECT_EQ(file.header().tokenizer_hash, 0xABCDEFU);
    EXPECT_EQ(file.header().num_documents, 3);
    EXPECT_EQ(file.header().num_empty_documents, 4);
    EXPECT_EQ(file.header().num_text_bytes, 14);
  }
}

// Defect: tokens lost or doubled where one block ends and the next begins, or a last block that is
// not hashed.
TEST(TokenFile, SpansManyBlocks) {
  const TemporaryFolder folder;
  std::vector<std::vector<int32_t>> documents(1000);
  std::vector<int32_t> expected;
  for (size_t i = 0; i < documents.size(); ++i) {
    for (size_t k = 0; k < 3 * i; ++k)
      documents[i].push_back(static_cast<int32_t>((i + 7 * k) % 999 + 1));
    expected.insert(expected.end(), documents[i].begin(), documents[i].end());
    expected.push_back(0);
  }
  write_tokens(folder / "file", kSmall, documents);
  const TokenFile file = TokenFile::open(folder / "file");
  EXPECT_GT(TokenFileLayout(file.header()).num_blocks, 2);
  file.verify();
  EXPECT_EQ(read_tokens(file), expected);
}

// Defect: an id that two bytes cannot hold is cut instead of refused.
TEST(TokenFile, RefusesIdsOutsideTheVocabulary) {
  const TemporaryFolder folder;
  TokenFileWriter writer(folder / "file", kSmall);
  EXPECT_THROW(writer.add_document(std::vector<int32_t>{1000}, 1), DataError);
  EXPECT_THROW(writer.add_document(std::vector<int32_t>{-1}, 1), DataError);
  EXPECT_EQ(token_bytes_for(65536), 2);
  EXPECT_EQ(token_bytes_for(65537), 4);
}

// Defect: a file that was not finished appears at its place.
TEST(TokenFile, AppearsWithCommitOnly) {
  const TemporaryFolder folder;
  {
    TokenFileWriter writer(folder / "file", kSmall);
    writer.add_document(std::vector<int32_t>{1}, 1);
    EXPECT_FALSE(std::filesystem::exists(folder / "file"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// Defect: different content has an equal fingerprint, or equal content has different ones.
TEST(TokenFile, FingerprintIsOfTokensDocumentsAndTokenizer) {
  const TemporaryFolder folder;
  const auto fingerprint = [&](const TokenizerIdentity& tokenizer,
                               const std::vector<std::vector<int32_t>>& documents) {
    write_tokens(folder / "file", tokenizer, documents);
    return TokenFile::open(folder / "file").fingerprint();
  };
  const uint64_t original = fingerprint(kSmall, {{5, 6}, {7}});
  EXPECT_EQ(fingerprint(kSmall, {{5, 6}, {7}}), original);
  EXPECT_NE(fingerprint(kSmall, {{5, 6}, {8}}), original);
  EXPECT_NE(fingerprint(kSmall, {{5}, {6, 7}}), original);
  EXPECT_NE(fingerprint({1000, 0, 1}, {{5, 6}, {7}}), original);
}

// Defect: reading past the end of the tokens.
TEST(TokenFile, RefusesReadsOutside) {
  const TemporaryFolder folder;
  write_tokens(folder / "file", kSmall, {{5, 6}});
  const TokenFile file = TokenFile::open(folder / "file");
  std::vector<int32_t> two(2);
  EXPECT_NO_THROW(file.read(1, two));
  EXPECT_THROW(file.read(2, two), DataError);
  EXPECT_THROW(file.read(-1, two), DataError);
}

// Defect: a flipped bit anywhere, header, tokens, padding, offsets, hashes or footer, goes unseen.
TEST_F(DamagedTokenFile, AnyFlippedBitIsRefused) {
  for (size_t at = 0; at < bytes_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes_;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      put(damaged);
      const std::string message = refusal();
      ASSERT_NE(message.find(path_.string()), std::string::npos) << "byte " << at;
      ASSERT_NE(message.find("expected"), std::string::npos) << message;
      ASSERT_NE(message.find("found"), std::string::npos) << message;
    }
  }
}

// Defect: open() reads the tokens of a large file, or leaves header and index
// for verify() to check.
TEST_F(DamagedTokenFile, OpenChecksAllButTheTokens) {
  for (size_t at = 0; at < bytes_.size(); ++at) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(~damaged[at]);
    put(damaged);
    const bool in_tokens = at >= sizeof(TokenFileHeader) && at < sizeof(TokenFileHeader) + 64;
    if (in_tokens) {
      EXPECT_NO_THROW(TokenFile::open(path_)) << "byte " << at;
    } else {
      EXPECT_THROW(TokenFile::open(path_), DataError) << "byte " << at;
    }
  }
}

// Defect: a truncated or appended file is opened, or read past its end.
TEST_F(DamagedTokenFile, AnyOtherLengthIsRefused) {
  for (size_t length = 0; length < bytes_.size(); ++length) {
    put(bytes_.substr(0, length));
    ASSERT_THROW(TokenFile::open(path_), DataError) << length << " bytes";
  }
  put(bytes_ + '\0');
  EXPECT_NE(refusal().find("expected"), std::string::npos);
  put(bytes_ + bytes_);
  EXPECT_NE(refusal().find(path_.string()), std::string::npos);
}

// Defect: a hostile header with right hashes makes offsets overflow or lie outside the file.
TEST_F(DamagedTokenFile, ImpossibleHeadersAreRefused) {
  constexpr int64_t kHuge = INT64_MAX;
  const std::vector<std::function<void(TokenFileHeader&)>> changes = {
      [](TokenFileHeader& h) { h.version = 1; },
      [](TokenFileHeader& h) { h.version = 3; },
      [](TokenFileHeader& h) { h.endian_tag = 0x04030201; },
      [](TokenFileHeader& h) { h.vocab_size = 0; },
      [](TokenFileHeader& h) { h.vocab_size = kHuge; },
      [](TokenFileHeader& h) { h.vocab_size = 100000; },
      [](TokenFileHeader& h) { h.end_token = 1000; },
      [](TokenFileHeader& h) { h.end_token = -2; },
      [](TokenFileHeader& h) { h.end_token = -1; },  // neither of the two is there
      [](TokenFileHeader& h) { h.start_token = 1000; },
      [](TokenFileHeader& h) { h.start_token = -2; },
      [](TokenFileHeader& h) { h.token_bytes = 4; },
      [](TokenFileHeader& h) { h.token_bytes = 0; },
      [](TokenFileHeader& h) { h.num_tokens = kHuge; },
      [](TokenFileHeader& h) { h.num_tokens = -1; },
      [](TokenFileHeader& h) { h.num_tokens += 1; },
      [](TokenFileHeader& h) { h.num_documents = kHuge; },
      [](TokenFileHeader& h) { h.num_documents = -2; },
      [](TokenFileHeader& h) {
        h.num_documents += int64_t{1} << 61;
      },  // eight times this wraps to 0
      [](TokenFileHeader& h) { h.num_empty_documents = -1; },
      [](TokenFileHeader& h) { h.num_text_bytes = -1; },
      [](TokenFileHeader& h) { h.reserved[100] = 1; },
      [](TokenFileHeader& h) { h.magic[0] = 'X'; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    put_header(changes[i]);
    EXPECT_THROW(TokenFile::open(path_), DataError) << "change " << i;
  }
}

// Defect: a file whose hashes are all right but whose offsets or ids are not crashes the training.
TEST_F(DamagedTokenFile, RightHashesDoNotExcuseWrongContent) {
  const auto rehashed = [&](size_t at, uint8_t value) {
    std::string bytes = bytes_;
    bytes[at] = static_cast<char>(value);
    TokenFileHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const TokenFileLayout layout(header);
    const uint64_t block_hash = hash_bytes(bytes.data() + sizeof header, 64);
    std::memcpy(bytes.data() + layout.block_hashes_at, &block_hash, sizeof block_hash);
    TokenFileFooter footer;
    footer.offsets_hash =
        hash_bytes(bytes.data() + layout.offsets_at,
                   static_cast<size_t>(layout.block_hashes_at - layout.offsets_at));
    footer.block_hashes_hash = hash_bytes(&block_hash, sizeof block_hash);
    footer.fingerprint = hash_parts(header, footer);
    std::memcpy(bytes.data() + layout.footer_at, &footer, sizeof footer);
    return bytes;
  };
  put(rehashed(256, 5));
  EXPECT_NO_THROW(TokenFile::open(path_).verify());
  put(rehashed(257, 0xFF));
  EXPECT_NE(refusal().find("token ids"), std::string::npos);
  put(rehashed(256 + 64 + 8, 9));  // the second document's offset behind the third's
  EXPECT_NE(refusal().find("offset"), std::string::npos);
  put(rehashed(256 + 64, 1));
  EXPECT_NE(refusal().find("first document offset"), std::string::npos);
}

// Defect: a folder or a missing file crashes or gives an error without the name.
TEST(TokenFile, WhatIsNotAFileIsAnIoError) {
  const TemporaryFolder folder;
  EXPECT_THROW(TokenFile::open(folder.path()), IoError);
  EXPECT_NE(message_of<IoError>([&] { TokenFile::open(folder / "none"); }).find("none"),
            std::string::npos);
}

}  // namespace
}  // namespace lmtrain
