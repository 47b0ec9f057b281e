// Counts and positions of the pairs of adjacent tokens during BPE training, with a queue that gives
// the most frequent pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lmtrain {

struct TokenPair {
  uint32_t left = 0;
  uint32_t right = 0;
};

// Memory for many small lists of positions; all are freed together at the end.
class PositionArena {
 public:
  std::span<uint32_t> allocate(size_t size);

 private:
  static constexpr size_t kBlockSize = size_t{1} << 18;

  std::vector<std::unique_ptr<uint32_t[]>> blocks_;
  std::span<uint32_t> free_;
};

// A pair gets all its positions and its highest count when the newer of its two tokens is made;
// from then on its count only falls. So each pair is queued once, and its place in the queue is
// corrected when it reaches the front.
class PairCounts {
 public:
  PairCounts();

  // `pair` must be new; `count` must not be negative.
  void insert(TokenPair pair, int64_t count, std::span<const uint32_t> positions);
  // `pair` must have been inserted.
  void subtract(TokenPair pair, int64_t count);

  struct Top {
    TokenPair pair;
    int64_t count = 0;  // 0: no pair is left
    // Where the pair once occurred; merges may have removed it from some of these.
    std::span<const uint32_t> positions;
  };
  // Removes and returns the pair with the highest count; ties go to the smallest left id, then to
  // the smallest right id. Afterwards only subtract() may be called for this pair.
  Top pop();

 private:
  struct Record {
    uint64_t key = kEmpty;
    int64_t count = 0;
    const uint32_t* positions = nullptr;
    size_t num_positions = 0;
  };
  struct Queued {
    int64_t count;
    uint64_t key;
    bool operator<(const Queued& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static uint64_t key(TokenPair pair) { return uint64_t{pair.left} << 32 | pair.right; }
  Record& record(uint64_t key);
  void grow();

  std::vector<Record> records_;  // open addressing
  size_t num_records_ = 0;
  int shift_;
  std::vector<Queued> queue_;  // a heap
};

}  // namespace lmtrain
