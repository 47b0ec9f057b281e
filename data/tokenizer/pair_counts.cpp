#include "data/tokenizer/pair_counts.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace lmtrain {

namespace {
constexpr size_t kMinRecords = size_t{1} << 12;
}  // namespace

std::span<uint32_t> PositionArena::allocate(size_t size) {
  if (size > free_.size()) {
    const size_t block_size = std::max(size, kBlockSize);
    blocks_.push_back(std::make_unique_for_overwrite<uint32_t[]>(block_size));
    free_ = {blocks_.back().get(), block_size};
  }
  const std::span<uint32_t> result = free_.first(size);
  free_ = free_.subspan(size);
  return result;
}

PairCounts::PairCounts() : records_(kMinRecords), shift_(64 - std::countr_zero(kMinRecords)) {}

PairCounts::Record& PairCounts::record(uint64_t key) {
  size_t slot = static_cast<size_t>(key * 0x9E3779B97F4A7C15 >> shift_);
  while (records_[slot].key != key && records_[slot].key != kEmpty) {
    slot = (slot + 1) & (records_.size() - 1);
  }
  return records_[slot];
}

void PairCounts::grow() {
  std::vector<Record> old(records_.size() * 2);
  old.swap(records_);
  --shift_;
  for (const Record& kept : old) {
    if (kept.key != kEmpty) record(kept.key) = kept;
  }
}

void PairCounts::insert(TokenPair pair, int64_t count, std::span<const uint32_t> positions) {
  if (++num_records_ * 3 > records_.size() * 2) grow();
  record(key(pair)) = {key(pair), count, positions.data(), positions.size()};
  queue_.push_back({count, key(pair)});
  std::push_heap(queue_.begin(), queue_.end());
}

void PairCounts::subtract(TokenPair pair, int64_t count) { record(key(pair)).count -= count; }

PairCounts::Top PairCounts::pop() {
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end());
    const Queued top = queue_.back();
    const Record& current = record(top.key);
    if (current.count == top.count) {
      queue_.pop_back();
      const TokenPair pair{static_cast<uint32_t>(top.key >> 32), static_cast<uint32_t>(top.key)};
      return {pair, current.count, {current.positions, current.num_positions}};
    }
    if (current.count > 0) {
      queue_.back().count = current.count;
      std::push_heap(queue_.begin(), queue_.end());
    } else {
      queue_.pop_back();
    }
  }
  return {};
}

}  // namespace lmtrain
