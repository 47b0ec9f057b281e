// Which keys each query of attention sees: always one range, so that kernels need two numbers a
// query in place of a matrix.
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Kernels have ways of their own for masks of a known form.
enum class MaskForm { kRanges, kCausal, kFull };

struct AttentionMask {
  // Query t of a sample sees its keys first[t] <= key < end[t], at least one: int32 [samples,
  // positions], contiguous, on the model's device.
  at::Tensor first;
  at::Tensor end;
  // kCausal: first is 0 and end is t + 1 everywhere; kFull: every query sees every key.
  MaskForm form = MaskForm::kRanges;

  // The same as a matrix for kernels that want one: bool [samples, 1, queries, keys], true where
  // the query sees the key.
  at::Tensor matrix() const;
};

// Every token sees itself and what comes before it.
AttentionMask causal_mask(int64_t samples, int64_t positions, at::Device device);

// The same within documents: `document_ids` [samples, positions] of any integer type, never falling
// along a sample.
AttentionMask causal_mask_within(const at::Tensor& document_ids);

// Of a causal mask: each token sees at most `window` keys, its own included (sliding window
// attention; Beltagy et al., "Longformer", 2020).
AttentionMask within_window(AttentionMask mask, int64_t window);

// Every token sees the first lengths[s] tokens of its sample: int32 [samples], 1 to `positions`.
AttentionMask full_mask(const at::Tensor& lengths, int64_t positions);

// Every token sees its own document, of `document_ids` as above.
AttentionMask full_mask_within(const at::Tensor& document_ids);

}  // namespace lmtrain
