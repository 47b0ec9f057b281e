// SHA-256 (FIPS 180-4), where a hash has to withstand people: evidence of which weights a report is
// of.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace lmtrain {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }
  // 64 hexadecimal digits. To be called once.
  std::string digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Throws IoError.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace lmtrain
