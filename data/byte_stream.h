// The bytes of a file, decompressed when it is gzip (RFC 1952, also with several members) or zstd
// (RFC 8878, also with several frames). The first bytes tell which: no UTF-8 text begins with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace lmtrain {

enum class Compression { kNone, kGzip, kZstd };

// Throws IoError when the file cannot be read.
Compression compression_of(const std::filesystem::path& path);

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Fills `out` and returns the number of bytes written: fewer than out.size() only at the end of
  // the data, 0 after it. Throws DataError naming the file when it is damaged or cut short.
  virtual size_t read(std::span<char> out) = 0;
  // Bytes of the stored (perhaps compressed) file that have been read so far.
  virtual int64_t position() const = 0;
};

std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path);

}  // namespace lmtrain
