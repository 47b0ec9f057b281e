// A tokenised corpus on disk: memory-mapped, checksummed and tied to its tokenizer. TokenFileWriter
// writes it; token_file_format.h has the layout.
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
  // Maps `path` and checks header, exact size, offsets and footer; verify() checks the tokens.
  // Throws DataError naming the file, what was expected and what was found; IoError when the file
  // cannot be opened.
  static TokenFile open(const std::filesystem::path& path);

  // Reads all tokens and checks every block's hash and every id. Throws DataError. Must be called
  // on a whole file, not on a part.
  void verify() const;

  // Returns `num_documents` documents from `first` on as a TokenFile over the same mapping. Header,
  // tokens and offsets describe the part; the header's num_text_bytes
  // and num_empty_documents are 0.
  TokenFile part(int64_t first, int64_t num_documents) const;

  const std::filesystem::path& path() const { return path_; }
  // Counts, vocabulary size, tokens around documents, and tokenizer hash.
  const TokenFileHeader& header() const { return header_; }
  int64_t num_tokens() const { return header_.num_tokens; }
  // Equal only for files with the same tokens, documents and tokenizer. Must be called on a whole
  // file, not on a part.
  uint64_t fingerprint() const { return footer_.fingerprint; }
  // [num_documents + 1]: first token of each document, then num_tokens.
  std::span<const uint64_t> document_offsets() const;

  // Copies tokens [first, first + out.size()). Throws DataError when the range or an id is outside.
  void read(int64_t first, std::span<int32_t> out) const;

 private:
  explicit TokenFile(const std::filesystem::path& path);

  void read_header();
  void check_header() const;
  void check_delimiter(const char* what, int64_t id) const;
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
  int64_t first_token_ = 0;             // a part's first token, counted in the whole file
  std::vector<uint64_t> part_offsets_;  // a part's offsets, from its own first token; else empty
};

}  // namespace lmtrain
