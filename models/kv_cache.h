// The keys and values of the tokens that a decoder has read, so that each further token costs one
// pass over the weights (Shazeer, "Fast Transformer Decoding", 2019). The cache holds several
// sequences of unequal lengths, each in a slot of its own.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/model_config.h"
#include "parallel/communicator.h"

namespace lmtrain {

// Tokens of one sequence that a pass reads: rows of the pass that follow those of the spans before
// it, at the places first .. first + count - 1 of the sequence.
struct TokenSpan {
  int64_t slot = 0;
  int64_t first = 0;
  int64_t count = 1;

  int64_t end() const { return first + count; }
};

class KeyValueCache {
 public:
  // For `num_slots` sequences of at most `capacity` tokens each. `tensor` is the axis over which
  // the model's heads are cut.
  KeyValueCache(const ModelConfig& config, const Communicator& tensor, int64_t num_slots,
                int64_t capacity, at::ScalarType type, at::Device device);

  int64_t capacity() const { return capacity_; }

  // Views of a layer's part for one slot: [key heads of this rank, capacity, head size].
  at::Tensor keys(int64_t layer, int64_t slot) const;
  at::Tensor values(int64_t layer, int64_t slot) const;

  // Sets the first `length` tokens of `to` to those of `from`.
  void copy(int64_t from, int64_t to, int64_t length);

 private:
  int64_t capacity_;
  std::vector<at::Tensor> layers_;  // [keys and values, slots, heads, capacity, head size]
};

}  // namespace lmtrain
