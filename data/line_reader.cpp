#include "data/line_reader.h"

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

constexpr size_t kPiece = size_t{1} << 20;
constexpr size_t kLongestLine = size_t{1} << 30;

}  // namespace

LineReader::LineReader(std::filesystem::path path)
    : path_(std::move(path)), stream_(open_byte_stream(path_)) {
  while (buffer_.size() < kUtf8Bom.size() && read_more()) {
  }
  if (buffer_.starts_with(kUtf8Bom)) begin_ = kUtf8Bom.size();
}

bool LineReader::read_more() {
  if (buffer_.size() - begin_ > kLongestLine) {
    throw DataError(cat(path_.string(), ":", line_number_ + 1,
                        ": the line is longer than 1 GiB; is this the file that was meant?"));
  }
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t before = buffer_.size();
  buffer_.resize(before + kPiece);
  const size_t count = stream_->read({buffer_.data() + before, kPiece});
  buffer_.resize(before + count);
  return count > 0;
}

bool LineReader::next(std::string_view& line) {
  size_t end = buffer_.find('\n', begin_);
  while (end == std::string::npos) {
    const size_t pending = buffer_.size() - begin_;
    if (!read_more()) break;
    end = buffer_.find('\n', pending);
  }
  if (begin_ == buffer_.size()) return false;
  const size_t length = end == std::string::npos ? buffer_.size() - begin_ : end + 1 - begin_;
  line = std::string_view(buffer_).substr(begin_, length);
  begin_ += length;
  ++line_number_;
  return true;
}

std::string_view without_line_break(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace lmtrain
