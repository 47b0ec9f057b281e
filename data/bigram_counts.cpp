#include "data/bigram_counts.h"

#include <algorithm>

namespace lmtrain {

void BigramCounts::add(int32_t first, int32_t second, uint32_t count) {
  const uint64_t pair = key(first, second);
  size_t slot = slot_of(pair);
  if (keys_[slot] == kFree) {
    if (static_cast<size_t>(num_pairs_) >= keys_.size() / 4 * 3) {
      grow();
      slot = slot_of(pair);
    }
    keys_[slot] = pair;
    ++num_pairs_;
  }
  // A count that no longer fits in 32 bits stays at the maximum.
  counts_[slot] += std::min(count, UINT32_MAX - counts_[slot]);
}

// Returns the slot that holds `key`, or the free slot where it would be inserted.
size_t BigramCounts::slot_of(uint64_t key) const {
  const size_t mask = keys_.size() - 1;
  const uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);
  size_t slot = (mixed ^ mixed >> 32) & mask;
  while (keys_[slot] != kFree && keys_[slot] != key) slot = (slot + 1) & mask;
  return slot;
}

void BigramCounts::grow() {
  std::vector<uint64_t> keys(keys_.size() * 2, kFree);
  std::vector<uint32_t> counts(keys.size());
  keys.swap(keys_);
  counts.swap(counts_);
  for (size_t old = 0; old < keys.size(); ++old) {
    if (keys[old] == kFree) continue;
    const size_t slot = slot_of(keys[old]);
    keys_[slot] = keys[old];
    counts_[slot] = counts[old];
  }
}

}  // namespace lmtrain
