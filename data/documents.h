// Streams the documents of source files, mapped one file at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/durable_file.h"
#include "data/source_files.h"

namespace lmtrain {

// Valid UTF-8, never empty. Keeps the mapped file alive that `text` points into.
struct Document {
  std::string_view text;
  std::shared_ptr<const MappedFile> file;
};

// Without a separator a file is one document, byte for byte. With one, a line equal to it (LF or
// CRLF) ends a document, as in fortune files, and the line break before it is not part of the
// document; nor is that at the end of the file. One leading byte order mark per file is dropped.
class DocumentReader {
 public:
  explicit DocumentReader(std::vector<SourceFile> files);

  // False after the last document. Throws DataError, naming file and byte offset, on invalid UTF-8.
  bool next(Document& document);

  int64_t num_documents() const { return num_documents_; }
  int64_t num_empty_documents() const { return num_empty_documents_; }
  int64_t num_text_bytes() const { return num_text_bytes_; }
  // Bytes of files behind the last document, over all bytes.
  double fraction_done() const;

 private:
  bool open_next_file();
  std::string_view cut_document();
  void check_utf8(std::string_view text) const;

  std::vector<SourceFile> files_;
  int64_t total_bytes_;
  size_t num_opened_ = 0;
  std::shared_ptr<const MappedFile> file_;
  std::string_view rest_;  // of the open file
  int64_t bytes_of_finished_files_ = 0;
  int64_t num_documents_ = 0;
  int64_t num_empty_documents_ = 0;
  int64_t num_text_bytes_ = 0;
};

}  // namespace lmtrain
