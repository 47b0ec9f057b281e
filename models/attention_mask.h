// Which keys each query of attention sees: always one range, so that kernels need two numbers a
// query in place of a matrix.
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

struct AttentionMask {
  // Query t of a sample sees its keys first[t] <= key < end[t], at least one: int32 [samples,
  // positions], contiguous, on the model's device.
  at::Tensor first;
  at::Tensor end;
  bool is_plain_causal = false;  // first is 0 and end is t + 1 everywhere

  // The same as a matrix for kernels that want one: bool [samples, 1, queries, keys], true where
  // the query sees the key.
  at::Tensor matrix() const;
};

// Every token sees itself and what comes before it.
AttentionMask causal_mask(int64_t samples, int64_t positions, at::Device device);

// The same within documents: `document_ids` [samples, positions] of any integer type, never falling
// along a sample.
AttentionMask causal_mask_within(const at::Tensor& document_ids);

}  // namespace lmtrain
