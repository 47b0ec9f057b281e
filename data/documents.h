// Streams the documents of source files, one file at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/file_documents.h"
#include "data/source_files.h"

namespace lmtrain {

// Gives the documents of open_documents, all valid UTF-8. Empty documents are counted and skipped.
class DocumentReader {
 public:
  explicit DocumentReader(std::vector<SourceFile> files, Utf8Policy policy = Utf8Policy::kError);

  // Returns false after the last document. Throws DataError as open_documents does.
  bool next(Document& document);

  int64_t num_documents() const { return num_documents_; }
  int64_t num_empty_documents() const { return num_empty_documents_; }
  int64_t num_text_bytes() const { return num_text_bytes_; }
  // Counts the documents that were not UTF-8.
  const Utf8Gate& gate() const { return gate_; }
  // Logs a warning for each source whose separator cut none of the files that have been read whole.
  void warn_of_unused_separators() const;
  // The share of all files' bytes that has been read.
  double fraction_done() const;

 private:
  struct Separated {
    std::string separator;
    int64_t files = 0;
    bool is_found = false;  // between two documents of a file
  };

  void finish_file(const SourceFile& file);

  std::vector<SourceFile> files_;
  Utf8Gate gate_;
  int64_t total_bytes_;
  size_t num_opened_ = 0;
  std::unique_ptr<FileDocuments> file_;
  int64_t bytes_of_finished_files_ = 0;
  int64_t num_documents_ = 0;
  int64_t num_empty_documents_ = 0;
  int64_t num_text_bytes_ = 0;
  int64_t documents_of_file_ = 0;       // of the open file
  std::map<int, Separated> separated_;  // by source
};

// Logs a warning when documents were repaired or skipped because they are not UTF-8.
void warn_of_invalid_text(const Utf8Gate& gate);

}  // namespace lmtrain
