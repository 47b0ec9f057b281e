// Counts of pairs of neighbouring tokens, in an open-addressing hash table of 12 bytes per slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lmtrain {

class BigramCounts {
 public:
  BigramCounts() : keys_(kFirstSlots, kFree), counts_(kFirstSlots) {}

  void add(int32_t first, int32_t second, uint32_t count = 1);
  // Returns 0 for a pair that was never added.
  uint32_t count(int32_t first, int32_t second) const {
    return counts_[slot_of(key(first, second))];
  }
  int64_t num_pairs() const { return num_pairs_; }

  // Calls visit(first, second, count) for every pair. The order depends only on the pairs added.
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t slot = 0; slot < keys_.size(); ++slot) {
      if (counts_[slot] == 0) continue;
      visit(static_cast<int32_t>(keys_[slot] >> 32), static_cast<int32_t>(keys_[slot] & UINT32_MAX),
            counts_[slot]);
    }
  }

 private:
  static constexpr size_t kFirstSlots = 1024;    // the number of slots is always a power of two
  static constexpr uint64_t kFree = UINT64_MAX;  // no pair has this key: ids are not negative

  static uint64_t key(int32_t first, int32_t second) {
    return static_cast<uint64_t>(first) << 32 | static_cast<uint32_t>(second);
  }
  size_t slot_of(uint64_t key) const;
  void grow();

  std::vector<uint64_t> keys_;
  std::vector<uint32_t> counts_;
  int64_t num_pairs_ = 0;
};

}  // namespace lmtrain
