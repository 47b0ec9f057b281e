// A tokenised corpus on disk: memory-mapped, checksummed, tied to its tokenizer. Written by
// TokenFileWriter; token_file_format.h has the layout.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/durable_file.h"
#include "data/token_file_format.h"

namespace lmtrain {

class TokenFile {
 public:
  // Maps `path` and checks header, exact size, offsets and footer; the tokens only in verify().
  // Throws DataError naming the file, what was expected and what is there; IoError when it cannot
  // be opened.
  static TokenFile open(const std::filesystem::path& path);

  // Reads all tokens: every block's hash and every id. Throws DataError. Of a whole file.
  void verify() const;

  // The documents from `first` on, as a file of their own over the same mapping: header, tokens and
  // offsets are theirs, but for the header's bytes of text and empty documents, which are 0.
  TokenFile part(int64_t first, int64_t num_documents) const;

  const std::filesystem::path& path() const { return path_; }
  // Counts, vocabulary size, end token and tokenizer hash.
  const TokenFileHeader& header() const { return header_; }
  int64_t num_tokens() const { return header_.num_tokens; }
  // Equal only for files of the same tokens, documents and tokenizer. Of a whole file.
  uint64_t fingerprint() const { return footer_.fingerprint; }
  // [num_documents + 1]: first token of each document, then num_tokens.
  std::span<const uint64_t> document_offsets() const;

  // Copies tokens [first, first + out.size()). Throws DataError when the range or an id is outside.
  void read(int64_t first, std::span<int32_t> out) const;

 private:
  explicit TokenFile(const std::filesystem::path& path);

  void read_header();
  void check_header() const;
  void check_size() const;
  void check_footer() const;
  void check_offsets() const;
  std::span<const uint64_t> stored_offsets() const;
  template <class T>
  const T* at(int64_t offset) const {
    return reinterpret_cast<const T*>(file_->data() + offset);
  }

  std::filesystem::path path_;
  std::shared_ptr<const MappedFile> file_;
  TokenFileHeader header_;
  TokenFileFooter footer_;
  int64_t first_token_ = 0;             // of a part, in the file
  std::vector<uint64_t> part_offsets_;  // of a part: from its first token on; else empty
};

}  // namespace lmtrain
