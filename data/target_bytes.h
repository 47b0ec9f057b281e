// Counts the bytes of text that a batch's labels stand for, to convert nats into bits per byte.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// Bytes of text per token id; special tokens such as the end token have 0 bytes.
class TargetBytes {
 public:
  explicit TargetBytes(const Tokenizer& tokenizer);

  int64_t of_token(int64_t id) const { return bytes_[static_cast<size_t>(id)]; }
  // Sums the bytes of the labels whose weight is above 0.
  int64_t of_batch(const Batch& batch) const;

 private:
  std::vector<int64_t> bytes_;
};

}  // namespace lmtrain
