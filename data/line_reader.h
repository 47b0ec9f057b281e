// A file line by line, decompressed where it is compressed.
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

  // The next line with its line break, if it has one; valid until the next call. False at the end.
  // Throws DataError for a damaged file and for a line of over 1 GiB.
  bool next(std::string_view& line);
  // Of the line that next() gave last, from 1.
  int64_t line_number() const { return line_number_; }
  // Bytes of the file as stored that have been taken in.
  int64_t position() const { return stream_->position(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  bool read_more();

  std::filesystem::path path_;
  std::unique_ptr<ByteStream> stream_;
  std::string buffer_;
  size_t begin_ = 0;  // of what has not been given yet
  int64_t line_number_ = 0;
};

// Without LF or CRLF at its end.
std::string_view without_line_break(std::string_view line);

}  // namespace lmtrain
