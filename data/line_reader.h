// Reads a file line by line and decompresses it when it is compressed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "data/byte_stream.h"

namespace lmtrain {

class LineReader {
 public:
  // A byte order mark at the start is dropped.
  explicit LineReader(std::filesystem::path path);

  // Gives the next line with its line break, if it has one; the view is valid until the next call.
  // Returns false at the end. Throws DataError for a damaged file and for a line of over 1 GiB.
  bool next(std::string_view& line);
  // The number of the line that next() gave last, counted from 1.
  int64_t line_number() const { return line_number_; }
  // Bytes of the stored (perhaps compressed) file that have been read so far.
  int64_t position() const { return stream_->position(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  bool read_more();

  std::filesystem::path path_;
  std::unique_ptr<ByteStream> stream_;
  std::string buffer_;
  size_t begin_ = 0;  // where in buffer_ the lines begin that next() has not given yet
  int64_t line_number_ = 0;
};

// Returns the line without the LF or CRLF at its end.
std::string_view without_line_break(std::string_view line);

}  // namespace lmtrain
