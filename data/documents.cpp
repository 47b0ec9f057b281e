#include "data/documents.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

DocumentReader::DocumentReader(std::vector<SourceFile> files, Utf8Policy policy)
    : files_(std::move(files)), gate_(policy), total_bytes_(total_bytes(files_)) {}

bool DocumentReader::next(Document& document) {
  while (true) {
    if (file_ == nullptr) {
      if (num_opened_ == files_.size()) return false;
      file_ = open_documents(files_[num_opened_++], gate_);
    }
    if (!file_->next(document)) {
      finish_file(files_[num_opened_ - 1]);
      file_ = nullptr;
      continue;
    }
    if (document.text.empty()) {
      ++num_empty_documents_;
      continue;
    }
    document.source = files_[num_opened_ - 1].source;
    ++num_documents_;
    ++documents_of_file_;
    num_text_bytes_ += static_cast<int64_t>(document.text.size());
    return true;
  }
}

void DocumentReader::finish_file(const SourceFile& file) {
  bytes_of_finished_files_ += file.size_bytes;
  const int64_t documents = std::exchange(documents_of_file_, 0);
  if (file.separator.empty()) return;
  Separated& of_source = separated_[file.source];
  of_source.separator = file.separator;
  ++of_source.files;
  if (documents > 1) of_source.is_found = true;
}

void DocumentReader::warn_of_unused_separators() const {
  for (const auto& [source, separated] : separated_) {
    if (separated.is_found) continue;
    log_warn(
        cat("data.sources[", source, "].separator \"", separated.separator,
            "\" cuts no file of the source: no line between two texts is equal to it, so each of ",
            separated.files, separated.files == 1 ? " file" : " files",
            " is one document (lines end with LF or CRLF)"));
  }
}

double DocumentReader::fraction_done() const {
  if (file_ == nullptr && num_opened_ == files_.size()) return 1.0;
  const int64_t bytes = bytes_of_finished_files_ + (file_ == nullptr ? 0 : file_->position());
  return std::min(
      1.0, static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(1, total_bytes_)));
}

void warn_of_invalid_text(const Utf8Gate& gate) {
  if (gate.num_replaced() > 0) {
    log_warn(cat(counted(gate.num_replaced(), "document"),
                 " not in UTF-8; what was invalid became U+FFFD (data.utf8); first: ",
                 join(gate.first_places(), "; ")));
  }
  if (gate.num_skipped() > 0) {
    log_warn(cat(counted(gate.num_skipped(), "document"),
                 " not in UTF-8, left out (data.utf8); first: ", join(gate.first_places(), "; ")));
  }
}

}  // namespace lmtrain
