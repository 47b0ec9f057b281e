#include "data/token_file.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

template <class Expected, class Actual>
[[noreturn]] void refuse(const fs::path& path, const char* what, const Expected& expected,
                         const Actual& actual) {
  throw DataError(cat("token file ", path.string(), ": ", what, ": expected ", expected, ", found ",
                      actual, "; delete it to have it made again"));
}

void require_equal(const fs::path& path, const char* what, int64_t expected, int64_t actual) {
  if (expected != actual) refuse(path, what, expected, actual);
}

void require_hash(const fs::path& path, const char* what, uint64_t expected, uint64_t actual) {
  if (expected != actual) refuse(path, what, hex16(expected), hex16(actual));
}

void require_count(const fs::path& path, const char* what, int64_t count) {
  if (count < 0 || count > kMaxTokenFileCount) refuse(path, what, "a count", count);
}

std::string hex_of(const std::array<char, 8>& magic) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, magic.data(), sizeof bytes);
  return hex16(bytes);
}

void require_magic(const fs::path& path, const char* what, const std::array<char, 8>& actual) {
  if (actual != kTokenFileMagic) refuse(path, what, hex_of(kTokenFileMagic), hex_of(actual));
}

// Returns the largest of the copied ids, by which the caller checks the range without
// a branch per token.
template <class Stored>
uint32_t copy_tokens(const Stored* from, std::span<int32_t> out) {
  uint32_t largest = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t id = from[i];
    largest = std::max(largest, id);
    out[i] = static_cast<int32_t>(id);
  }
  return largest;
}

}  // namespace

TokenFile::TokenFile(const fs::path& path)
    : path_(path), file_(std::make_shared<const MappedFile>(path)) {}

TokenFile TokenFile::open(const fs::path& path) {
  TokenFile file(path);
  file.read_header();
  file.check_header();
  file.check_size();
  file.check_footer();
  file.check_offsets();
  return file;
}

void TokenFile::read_header() {
  const auto size = static_cast<int64_t>(file_->size());
  const auto smallest = static_cast<int64_t>(sizeof(TokenFileHeader) + sizeof(TokenFileFooter));
  if (size < smallest) refuse(path_, "bytes", cat("at least ", smallest), size);
  std::memcpy(&header_, file_->data(), sizeof header_);
  std::memcpy(&footer_, file_->data() + size - sizeof footer_, sizeof footer_);
}

void TokenFile::check_header() const {
  require_magic(path_, "magic number", header_.magic);
  require_equal(path_, "version", kTokenFileVersion, header_.version);
  require_equal(path_, "endian tag", kEndianTag, header_.endian_tag);
  require_hash(path_, "hash of the header", header_.header_hash, hash_header(header_));
  if (header_.vocab_size < 1 || header_.vocab_size > INT32_MAX) {
    refuse(path_, "vocabulary size", "1 to 2147483647", header_.vocab_size);
  }
  check_delimiter("start token", header_.start_token);
  check_delimiter("end token", header_.end_token);
  if (header_.start_token < 0 && header_.end_token < 0)
    refuse(path_, "tokens around a document", "a start or an end token", "none");
  require_equal(path_, "bytes per token", token_bytes_for(header_.vocab_size), header_.token_bytes);
  require_count(path_, "documents", header_.num_documents);
  require_count(path_, "empty documents", header_.num_empty_documents);
  require_count(path_, "bytes of text", header_.num_text_bytes);
  require_count(path_, "tokens", header_.num_tokens);
  const bool all_zero = std::all_of(header_.reserved.begin(), header_.reserved.end(),
                                    [](uint8_t byte) { return byte == 0; });
  if (!all_zero) refuse(path_, "reserved header bytes", "zeros", "others");
}

void TokenFile::check_delimiter(const char* what, int64_t id) const {
  if (id < -1 || id >= header_.vocab_size)
    refuse(path_, what, cat("-1 or an id below ", header_.vocab_size), id);
}

void TokenFile::check_size() const {
  require_equal(path_, "bytes", TokenFileLayout(header_).file_bytes,
                static_cast<int64_t>(file_->size()));
}

void TokenFile::check_footer() const {
  const TokenFileLayout layout(header_);
  require_magic(path_, "magic number at the end", footer_.magic);
  require_hash(path_, "fingerprint", footer_.fingerprint, hash_parts(header_, footer_));
  const auto bytes_of_offsets = static_cast<size_t>(layout.block_hashes_at - layout.offsets_at);
  require_hash(path_, "hash of the document offsets", footer_.offsets_hash,
               hash_bytes(at<char>(layout.offsets_at), bytes_of_offsets));
  const auto bytes_of_hashes = static_cast<size_t>(layout.footer_at - layout.block_hashes_at);
  require_hash(path_, "hash of the block hashes", footer_.block_hashes_hash,
               hash_bytes(at<char>(layout.block_hashes_at), bytes_of_hashes));
}

// Every document holds at least its start or end token, so offsets must increase strictly.
void TokenFile::check_offsets() const {
  const std::span<const uint64_t> offsets = document_offsets();
  require_equal(path_, "first document offset", 0, static_cast<int64_t>(offsets.front()));
  require_equal(path_, "last document offset", num_tokens(), static_cast<int64_t>(offsets.back()));
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] <= offsets[i - 1]) {
      refuse(path_, cat("offset ", i, " of the documents").c_str(),
             cat("more than ", offsets[i - 1]), offsets[i]);
    }
  }
}

std::span<const uint64_t> TokenFile::document_offsets() const {
  return part_offsets_.empty() ? stored_offsets() : std::span<const uint64_t>(part_offsets_);
}

TokenFile TokenFile::part(int64_t first, int64_t num_documents) const {
  const auto offsets = document_offsets().subspan(static_cast<size_t>(first),
                                                  static_cast<size_t>(num_documents + 1));
  TokenFile part = *this;
  part.first_token_ += static_cast<int64_t>(offsets.front());
  part.part_offsets_.assign(offsets.begin(), offsets.end());
  for (uint64_t& offset : part.part_offsets_) offset -= offsets.front();
  part.header_.num_documents = num_documents;
  part.header_.num_tokens = static_cast<int64_t>(offsets.back() - offsets.front());
  part.header_.num_text_bytes = 0;
  part.header_.num_empty_documents = 0;
  return part;
}

std::span<const uint64_t> TokenFile::stored_offsets() const {
  return {at<uint64_t>(TokenFileLayout(header_).offsets_at),
          static_cast<size_t>(header_.num_documents + 1)};
}

void TokenFile::verify() const {
  const TokenFileLayout layout(header_);
  const auto* hashes = at<uint64_t>(layout.block_hashes_at);
  std::vector<int32_t> tokens;
  for (int64_t block = 0; block < layout.num_blocks; ++block) {
    const int64_t begin = sizeof(TokenFileHeader) + block * kTokenBlockBytes;
    const int64_t end = std::min(begin + kTokenBlockBytes, layout.offsets_at);
    require_hash(path_, cat("hash of token block ", block).c_str(), hashes[block],
                 hash_bytes(at<char>(begin), static_cast<size_t>(end - begin)));
    const int64_t tokens_per_block = kTokenBlockBytes / header_.token_bytes;
    const int64_t first = block * tokens_per_block;
    tokens.resize(static_cast<size_t>(std::min(tokens_per_block, num_tokens() - first)));
    read(first, tokens);
  }
}

void TokenFile::read(int64_t first, std::span<int32_t> out) const {
  const auto count = static_cast<int64_t>(out.size());
  if (first < 0 || first > num_tokens() - count) {
    refuse(path_, "read of tokens", cat("a range within ", num_tokens()), cat(first, " + ", count));
  }
  const int64_t offset =
      static_cast<int64_t>(sizeof(TokenFileHeader)) + (first_token_ + first) * header_.token_bytes;
  const uint32_t largest = header_.token_bytes == 2 ? copy_tokens(at<uint16_t>(offset), out)
                                                    : copy_tokens(at<uint32_t>(offset), out);
  if (!out.empty() && largest >= header_.vocab_size) {
    refuse(path_, cat("token ids from ", first, " on").c_str(), cat("below ", header_.vocab_size),
           largest);
  }
}

}  // namespace lmtrain
