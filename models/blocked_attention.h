// Attention of bf16 on the CPU, in tiles of 64 queries by 64 keys after FlashAttention (Dao
// et al., 2022): scores and gradients are fp32 and exist a tile, or a row of tiles, at a time;
// backward computes probabilities again from the saved log-sums. Own code because LibTorch's flash
// kernel takes three times as long on processors with bf16 instructions but no AMX
// (docs/performance.md), and takes no dropout anywhere.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"

namespace lmtrain {

// Whether this processor has its products.
bool has_blocked_attention();

// Whether processor and tensors suit it: bf16 on the CPU, a head size that is a multiple
// of 32, and at least as many heads of keys as threads, since such a head is one thread's work.
bool blocked_attention_suits(const at::Tensor& q, const at::Tensor& k);

// q: [samples, heads, positions, head size], the last dim contiguous; k, v: the same, or with fewer
// heads, each for as many heads of q in a row. Returns q's shape, laid out as [samples, positions,
// heads, head size].
at::Tensor blocked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const AttentionMask& mask, const DropoutSite& dropout);

}  // namespace lmtrain
