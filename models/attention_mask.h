// Which keys each query of attention sees. They are always one range, so that kernels need two
// numbers per query and no matrix.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Kernels treat masks of a known form separately.
enum class MaskForm { kRanges, kCausal, kFull };

struct AttentionMask {
  // Query t of a sample sees the keys first[t] <= key < end[t], at least one. Both tensors are
  // int32 [samples, positions], contiguous, on the model's device.
  at::Tensor first;
  at::Tensor end;
  // kCausal: first is 0 and end is t + 1 everywhere; kFull: every query sees every key.
  MaskForm form = MaskForm::kRanges;

  // Returns the mask as a matrix, for kernels that need one: bool [samples, 1, queries, keys], true
  // where the query sees the key.
  at::Tensor matrix() const;
};

// Every token sees itself and the tokens before it.
AttentionMask causal_mask(int64_t samples, int64_t positions, at::Device device);

// As causal_mask, but every token sees its own document alone. `document_ids`: [samples, positions]
// of any integer type, never falling along a sample.
AttentionMask causal_mask_within(const at::Tensor& document_ids);

// Narrows a causal mask: each token sees at most `window` keys, its own included (sliding window
// attention; Beltagy et al., "Longformer", 2020).
AttentionMask within_window(AttentionMask mask, int64_t window);

// Every token sees the first lengths[s] tokens of its sample. lengths: int32 [samples], each from 1
// to `positions`.
AttentionMask full_mask(const at::Tensor& lengths, int64_t positions);

// Every token sees its whole document. `document_ids`: as in causal_mask_within.
AttentionMask full_mask_within(const at::Tensor& document_ids);

// Is given the probabilities of attention of each block in turn: [samples, heads, queries, keys],
// of the heads of all ranks.
using AttentionListener = std::function<void(const at::Tensor& probabilities)>;

}  // namespace lmtrain
