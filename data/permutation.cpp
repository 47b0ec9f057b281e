#include "data/permutation.h"

#include <algorithm>
#include <bit>

namespace lmtrain {
namespace {

// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
  return value ^ (value >> 31);
}

uint64_t mask(int bits) { return (uint64_t{1} << bits) - 1; }

}  // namespace

Permutation::Permutation(int64_t size, uint64_t seed, uint64_t epoch)
    : size_(static_cast<uint64_t>(size)) {
  const int bits = std::max(2, static_cast<int>(std::bit_width(size_ - 1)));
  low_bits_ = bits / 2;
  low_mask_ = mask(low_bits_);
  high_mask_ = mask(bits - low_bits_);
  uint64_t state = mix(mix(seed + UINT64_C(0x9E3779B97F4A7C15)) ^ epoch);
  for (uint64_t& key : keys_) {
    state += UINT64_C(0x9E3779B97F4A7C15);
    key = mix(state);
  }
}

int64_t Permutation::operator()(int64_t index) const {
  uint64_t value = static_cast<uint64_t>(index);
  do {
    value = encrypt(value);
  } while (value >= size_);
  return static_cast<int64_t>(value);
}

// Each round adds a function of one half to the other half, in turns; such a step can be undone.
uint64_t Permutation::encrypt(uint64_t value) const {
  uint64_t low = value & low_mask_;
  uint64_t high = value >> low_bits_;
  for (int round = 0; round < kNumRounds; round += 2) {
    low ^= mix(high ^ keys_[round]) & low_mask_;
    high ^= mix(low ^ keys_[round + 1]) & high_mask_;
  }
  return high << low_bits_ | low;
}

}  // namespace lmtrain
