// The documents of one file, whatever its format and compression.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "data/source_files.h"
#include "data/utf8_gate.h"

namespace lmtrain {

struct Document {
  std::string_view text;
  std::shared_ptr<const void> owner;  // keeps alive what `text` points into
  int source = 0;                     // its place in data.sources
  // Set where `text` is the bytes of int32 ids: their file, see token_documents.h.
  std::shared_ptr<const std::filesystem::path> tokens_of;
};

class FileDocuments {
 public:
  virtual ~FileDocuments() = default;
  // False after the last one; texts may be empty, and have passed the gate. Throws DataError naming
  // file and line, or byte, of what is wrong.
  virtual bool next(Document& document) = 0;
  // Bytes of the file as stored that are behind the last document.
  virtual int64_t position() const = 0;
};

// text: without a separator the file is one document, byte for byte. With one, a line equal to it
// (LF
//   or CRLF) ends a document, as in fortune files, and the line break before it is not part of the
//   document; nor is that at the end of the file. An empty file is an empty document.
// jsonl: each line that is not blank is an object whose `field` is a document.
// csv, tsv: records as RFC 4180 has them, the first one naming the fields.
// llm.c, megatron: see token_documents.h.
// One leading byte order mark is dropped. The gate outlives the result.
std::unique_ptr<FileDocuments> open_documents(const SourceFile& file, Utf8Gate& gate);

}  // namespace lmtrain
