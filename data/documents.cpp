#include "data/documents.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

std::string_view without_line_break(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The next line of `text` with its line break, if it has one.
std::string_view first_line(std::string_view text) {
  const size_t end = text.find('\n');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

}  // namespace

DocumentReader::DocumentReader(std::vector<SourceFile> files)
    : files_(std::move(files)), total_bytes_(total_bytes(files_)) {}

bool DocumentReader::next(Document& document) {
  while (true) {
    if (rest_.empty() && !open_next_file()) return false;
    const std::string_view text = cut_document();
    if (text.empty()) {
      ++num_empty_documents_;
      continue;
    }
    check_utf8(text);
    ++num_documents_;
    num_text_bytes_ += static_cast<int64_t>(text.size());
    document = {text, file_};
    return true;
  }
}

// A file without a byte is an empty document.
bool DocumentReader::open_next_file() {
  while (num_opened_ < files_.size()) {
    if (file_ != nullptr) bytes_of_finished_files_ += static_cast<int64_t>(file_->size());
    file_ = std::make_shared<const MappedFile>(files_[num_opened_++].path);
    rest_ = file_->text();
    if (rest_.starts_with(kUtf8Bom)) rest_.remove_prefix(kUtf8Bom.size());
    if (!rest_.empty()) return true;
    ++num_empty_documents_;
  }
  return false;
}

std::string_view DocumentReader::cut_document() {
  const std::string& separator = files_[num_opened_ - 1].separator;
  if (separator.empty()) return std::exchange(rest_, {});
  const std::string_view start = rest_;
  while (!rest_.empty()) {
    const std::string_view line = first_line(rest_);
    const auto length = static_cast<size_t>(line.data() - start.data());
    rest_.remove_prefix(line.size());
    if (without_line_break(line) == separator) return without_line_break(start.substr(0, length));
  }
  return without_line_break(start);
}

void DocumentReader::check_utf8(std::string_view text) const {
  const size_t invalid = find_invalid_utf8(text);
  if (invalid == text.size()) return;
  const auto offset = text.data() + invalid - file_->text().data();
  throw DataError(cat(files_[num_opened_ - 1].path.string(), ": invalid UTF-8 at byte ", offset,
                      "; convert the file (iconv -t UTF-8) or take it out of data.sources"));
}

double DocumentReader::fraction_done() const {
  int64_t bytes = bytes_of_finished_files_;
  if (file_ != nullptr) bytes += static_cast<int64_t>(file_->size() - rest_.size());
  return std::min(
      1.0, static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(1, total_bytes_)));
}

}  // namespace lmtrain
