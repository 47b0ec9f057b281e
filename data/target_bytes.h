// How many bytes of text a batch's labels stand for: what turns nats into bits per byte.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// Bytes of text per token id; special tokens such as the end token stand for none.
class TargetBytes {
 public:
  explicit TargetBytes(const Tokenizer& tokenizer);

  int64_t of_token(int64_t id) const { return bytes_[static_cast<size_t>(id)]; }
  // Over the labels with a weight.
  int64_t of_batch(const Batch& batch) const;

 private:
  std::vector<int64_t> bytes_;
};

}  // namespace lmtrain
