// Writes a TokenFile document by document.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/durable_file.h"
#include "data/token_file_format.h"

namespace lmtrain {

// What a token file records about its tokenizer, and the tokens around its documents (-1: none).
struct TokenizerIdentity {
  int64_t vocab_size = 0;
  int32_t start_token = -1;
  int32_t end_token = -1;
  uint64_t hash = 0;
};

// The complete file appears at its path with commit(). Memory: one block, and 8 bytes per document.
// Throws IoError when a write fails, DataError for an id outside the vocabulary.
class TokenFileWriter {
 public:
  TokenFileWriter(const std::filesystem::path& path, const TokenizerIdentity& tokenizer);

  // Appends the start token, the document and the end token. The ids stand for `num_text_bytes`
  // bytes of text.
  void add_document(std::span<const int32_t> ids, int64_t num_text_bytes);
  // The same in parts: append() adds ids to the open document, or opens one when there are any;
  // end_document() ends it.
  void append(std::span<const int32_t> ids);
  void end_document(int64_t num_text_bytes);
  void add_empty_documents(int64_t count) { header_.num_empty_documents += count; }
  void commit();

 private:
  void open_document();
  void append_ids(std::span<const int32_t> ids);
  void append_bytes(const void* data, size_t size);
  void finish_block();

  std::filesystem::path path_;
  DurableFile file_;
  TokenFileHeader header_;
  bool is_open_ = false;  // a document
  std::vector<char> block_;
  std::vector<char> narrowed_;
  std::vector<uint64_t> block_hashes_;
  std::vector<uint64_t> offsets_ = {0};
};

}  // namespace lmtrain
