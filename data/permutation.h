// A keyed permutation of [0, size) that is computed and not stored. Each index costs O(1) time and
// no memory, so any number of ranks can compute the same order of samples, and a resume costs
// nothing.
//
// A Feistel network over the next power of two with cycle-walking (Black and Rogaway, "Ciphers with
// arbitrary finite domains", 2002): an index that falls outside is encrypted again until it falls
// inside, less than twice on average.
#pragma once

#include <array>
#include <cstdint>

namespace lmtrain {

class Permutation {
 public:
  // size ≥ 1.
  Permutation(int64_t size, uint64_t seed, uint64_t epoch);

  // A bijection of [0, size).
  int64_t operator()(int64_t index) const;

 private:
  static constexpr int kNumRounds = 8;

  uint64_t encrypt(uint64_t value) const;

  uint64_t size_;
  int low_bits_;
  uint64_t low_mask_;
  uint64_t high_mask_;
  std::array<uint64_t, kNumRounds> keys_;
};

}  // namespace lmtrain
