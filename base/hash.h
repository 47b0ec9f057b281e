// XXH3 (Yann Collet), 64 bits, for fingerprints and checksums of tokens, tensors and files. It is
// not a cryptographic hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <xxhash.h>

namespace lmtrain {

inline uint64_t hash_bytes(const void* data, size_t size, uint64_t seed = 0) {
  return XXH3_64bits_withSeed(data, size, seed);
}
inline uint64_t hash_text(std::string_view text, uint64_t seed = 0) {
  return hash_bytes(text.data(), text.size(), seed);
}

// The hash of data that arrives in pieces. It equals hash_bytes of the whole.
class StreamingHash {
 public:
  StreamingHash() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void update(const void* data, size_t size) { XXH3_64bits_update(state_.get(), data, size); }
  void update(std::string_view text) { update(text.data(), text.size()); }
  uint64_t digest() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// Writes a hash as 16 hexadecimal digits, and reads it back. parse_hex16 throws DataError when
// `text` is not 16 hexadecimal digits.
std::string hex16(uint64_t value);
uint64_t parse_hex16(std::string_view text);

}  // namespace lmtrain
