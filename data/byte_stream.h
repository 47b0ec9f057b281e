// The bytes of a file, decompressed where it is gzip (RFC 1952, also of several members) or zstd
// (RFC 8878, also of several frames), told by its first bytes: no text in UTF-8 begins with these.
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
  // Fills `out` from its front; fewer bytes only at the end, then 0. Throws DataError naming the
  // file when it is damaged or cut short.
  virtual size_t read(std::span<char> out) = 0;
  // Bytes of the file, as it is stored, that have been taken in.
  virtual int64_t position() const = 0;
};

std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path);

}  // namespace lmtrain
