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
  std::shared_ptr<const void> owner;  // owns the memory that `text` points into
  int source = 0;                     // index of the document's source in data.sources
  // Set when `text` is the bytes of int32 token ids (token_documents.h): the file of the ids.
  std::shared_ptr<const std::filesystem::path> tokens_of;
};

class FileDocuments {
 public:
  virtual ~FileDocuments() = default;
  // Returns false after the last document. Texts may be empty; all have passed the UTF-8 gate.
  // Throws DataError naming the file and the line or byte where it is wrong.
  virtual bool next(Document& document) = 0;
  // Bytes of the stored (perhaps compressed) file that have been read so far.
  virtual int64_t position() const = 0;
};

// Opens a file in its format:
//   text             Without a separator the file is one document, byte for byte. With one, a line
//                    equal to the separator (LF or CRLF) ends a document, as in fortune files. The
//                    line breaks before the separator and at the end of the file are not part of a
//                    document. An empty file is an empty document.
//   jsonl            Each line that is not blank is an object whose `field` is a document.
//   csv, tsv         Records as in RFC 4180; the first one names the fields.
//   llm.c, megatron  See token_documents.h.
// One leading byte order mark is dropped. The gate must outlive the result.
std::unique_ptr<FileDocuments> open_documents(const SourceFile& file, Utf8Gate& gate);

}  // namespace lmtrain
