// Streams the documents of source files, one file at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/file_documents.h"
#include "data/source_files.h"

namespace lmtrain {

// Documents come as open_documents gives them, but for empty ones, which are counted: valid UTF-8,
// never empty.
class DocumentReader {
 public:
  explicit DocumentReader(std::vector<SourceFile> files, Utf8Policy policy = Utf8Policy::kError);

  // False after the last document. Throws DataError as open_documents.
  bool next(Document& document);

  int64_t num_documents() const { return num_documents_; }
  int64_t num_empty_documents() const { return num_empty_documents_; }
  int64_t num_text_bytes() const { return num_text_bytes_; }
  // Documents that were not UTF-8, by what became of them.
  const Utf8Gate& gate() const { return gate_; }
  // Bytes of files behind the last document, over all bytes.
  double fraction_done() const;

 private:
  std::vector<SourceFile> files_;
  Utf8Gate gate_;
  int64_t total_bytes_;
  size_t num_opened_ = 0;
  std::unique_ptr<FileDocuments> file_;
  int64_t bytes_of_finished_files_ = 0;
  int64_t num_documents_ = 0;
  int64_t num_empty_documents_ = 0;
  int64_t num_text_bytes_ = 0;
};

// A warning in the log where documents were replaced or skipped.
void warn_of_invalid_text(const Utf8Gate& gate);

}  // namespace lmtrain
