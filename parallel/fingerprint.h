// Fingerprints of tensors' bits, to compare what should be the same to the bit: XXH3 of the XXH3 of
// blocks on the CPU; on a GPU the sum of all words, which any single changed bit changes and the
// host computes alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "base/hash.h"

namespace lmtrain {

// The hashes of the blocks of so many bytes, which stay in the cache while something else is done
// with them.
class BlockHashes {
 public:
  static constexpr int64_t kBlock = int64_t{256} << 10;

  explicit BlockHashes(int64_t bytes)
      : bytes_(bytes), hashes_(static_cast<size_t>((bytes + kBlock - 1) / kBlock)) {}

  int64_t size() const { return static_cast<int64_t>(hashes_.size()); }
  int64_t first_byte(int64_t block) const { return block * kBlock; }
  size_t count(int64_t block) const {
    return static_cast<size_t>(std::min(kBlock, bytes_ - first_byte(block)));
  }
  // `data` is where the bytes begin, not the block.
  void hash(int64_t block, const char* data) {
    hashes_[static_cast<size_t>(block)] = hash_bytes(data + first_byte(block), count(block));
  }
  // Calls work(block) for each, on all threads.
  template <class Work>
  void for_each(const Work& work) const {
    at::parallel_for(0, size(), 1, [&](int64_t from, int64_t to) {
      for (int64_t block = from; block < to; ++block) work(block);
    });
  }
  uint64_t fingerprint() const {
    return hash_bytes(hashes_.data(), hashes_.size() * sizeof(uint64_t));
  }

 private:
  int64_t bytes_;
  std::vector<uint64_t> hashes_;
};

// The sum of a contiguous tensor's words, on its device.
at::Tensor word_sum(const at::Tensor& tensor);

// Of a contiguous tensor, by its device; all threads take part. Fingerprints of one kind of device
// are compared with each other.
uint64_t fingerprint(const at::Tensor& tensor);

}  // namespace lmtrain
