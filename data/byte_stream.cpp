#include "data/byte_stream.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include <zlib.h>
#include <zstd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_damaged(const fs::path& path, const char* kind, const std::string& reason) {
  throw DataError(cat(path.string(), " is damaged: ", kind, ": ", reason,
                      "; get the file anew or take it out of data.sources"));
}

constexpr const char* kCutShort = "it ends in the middle";

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(const fs::path& path) : file_(path) {}

  size_t read(std::span<char> out) override {
    const size_t count = std::min(out.size(), file_.size() - at_);
    if (count > 0) std::memcpy(out.data(), file_.text().data() + at_, count);
    at_ += count;
    return count;
  }
  int64_t position() const override { return static_cast<int64_t>(at_); }

 private:
  MappedFile file_;
  size_t at_ = 0;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(const fs::path& path) : path_(path), file_(path) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK)
      throw IoError(cat(path.string(), ": zlib could not be started"));
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  ~GzipStream() override { inflateEnd(&stream_); }

  size_t read(std::span<char> out) override {
    size_t done = 0;
    while (done < out.size()) {
      if (stream_.avail_in == 0) feed();
      // Some writers pad the file with zeros up to a block.
      while (is_between_members_ && (stream_.avail_in > 0 || feed()) && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
      }
      if (is_between_members_ && stream_.avail_in == 0) break;
      if (is_between_members_) begin_member();
      const auto room = static_cast<uInt>(std::min<size_t>(out.size() - done, kPiece));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream_.avail_out = room;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      if (result == Z_STREAM_END) {
        is_between_members_ = true;
      } else if (result == Z_BUF_ERROR && at_ == file_.size()) {
        fail_damaged(path_, "gzip", kCutShort);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        fail_damaged(path_, "gzip", stream_.msg == nullptr ? "bad data" : stream_.msg);
      }
    }
    return done;
  }
  int64_t position() const override {
    return static_cast<int64_t>(at_) - static_cast<int64_t>(stream_.avail_in);
  }

 private:
  static constexpr size_t kPiece = size_t{1} << 20;  // zlib counts in 32 bits

  // Returns false at the end of the file.
  bool feed() {
    const size_t count = std::min(kPiece, file_.size() - at_);
    // zlib does not write to its input.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(file_.text().data() + at_));
    stream_.avail_in = static_cast<uInt>(count);
    at_ += count;
    return count > 0;
  }
  void begin_member() {
    inflateReset(&stream_);
    is_between_members_ = false;
  }

  fs::path path_;
  MappedFile file_;
  size_t at_ = 0;  // end of the bytes that zlib has been given
  z_stream stream_ = {};
  bool is_between_members_ = false;
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(const fs::path& path)
      : path_(path), file_(path), stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    input_ = {file_.data(), file_.size(), 0};
    constexpr int kLargestWindowLog = 31;  // the largest that zstd --long writes
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kLargestWindowLog);
  }

  size_t read(std::span<char> out) override {
    ZSTD_outBuffer output = {out.data(), out.size(), 0};
    while (output.pos < output.size) {
      const bool is_at_end = input_.pos == input_.size;
      if (is_at_end && is_between_frames_) break;
      const size_t before = output.pos;
      const size_t left = ZSTD_decompressStream(stream_.get(), &output, &input_);
      if (ZSTD_isError(left) != 0) fail_damaged(path_, "zstd", ZSTD_getErrorName(left));
      is_between_frames_ = left == 0;
      if (is_at_end && output.pos == before) fail_damaged(path_, "zstd", kCutShort);
    }
    return output.pos;
  }
  int64_t position() const override { return static_cast<int64_t>(input_.pos); }

 private:
  fs::path path_;
  MappedFile file_;
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer input_ = {};
  bool is_between_frames_ = false;
};

}  // namespace

Compression compression_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(cat("cannot open ", path.string()));
  std::string start(4, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (start.starts_with("\x1f\x8b")) return Compression::kGzip;
  // Accepts an ordinary frame, or a skippable frame, with which parallel zstd begins its files.
  const bool is_skipped = (start[0] & 0xF0) == 0x50 && start.ends_with("\x2a\x4d\x18");
  return start == "\x28\xb5\x2f\xfd" || is_skipped ? Compression::kZstd : Compression::kNone;
}

std::unique_ptr<ByteStream> open_byte_stream(const fs::path& path) {
  switch (compression_of(path)) {
    case Compression::kGzip:
      return std::make_unique<GzipStream>(path);
    case Compression::kZstd:
      return std::make_unique<ZstdStream>(path);
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainStream>(path);
}

}  // namespace lmtrain
