// What a fuzzer gives as files in memory, for parsers that take a path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include <unistd.h>

namespace lmtrain {

inline std::filesystem::path write_bytes(const std::filesystem::path& path, const uint8_t* data,
                                         size_t size) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

inline std::filesystem::path file_of_bytes(const uint8_t* data, size_t size,
                                           const std::string& name) {
  return write_bytes(
      std::filesystem::path("/dev/shm") / ("lmtrain-fuzz-" + std::to_string(getpid()) + "-" + name),
      data, size);
}

// A folder of this process. It is made empty.
inline std::filesystem::path empty_folder(const std::string& name) {
  std::filesystem::path folder =
      std::filesystem::path("/dev/shm") / ("lmtrain-fuzz-" + std::to_string(getpid()) + "-" + name);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

// One of several parts of the bytes, which are cut at each line of eight dashes. The last part that
// is asked for is all of the rest.
class Parts {
 public:
  Parts(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  std::string_view next(bool is_last = false) {
    constexpr std::string_view kCut = "\n--------\n";
    const size_t end = is_last ? std::string_view::npos : rest_.find(kCut);
    const std::string_view part = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? "" : rest_.substr(end + kCut.size());
    return part;
  }

 private:
  std::string_view rest_;
};

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  write_bytes(path, reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

}  // namespace lmtrain
