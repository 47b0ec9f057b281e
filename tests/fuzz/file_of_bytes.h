// What a fuzzer gives as a file in memory, for parsers that take a path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace lmtrain {

inline std::filesystem::path file_of_bytes(const uint8_t* data, size_t size,
                                           const std::string& name) {
  const std::filesystem::path path =
      std::filesystem::path("/dev/shm") / ("lmtrain-fuzz-" + std::to_string(getpid()) + "-" + name);
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

}  // namespace lmtrain
