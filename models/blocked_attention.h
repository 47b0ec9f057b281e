// Attention in bf16 on the CPU, in tiles of 64 queries by 64 keys after FlashAttention (Dao et al.,
// 2022). Scores and gradients are fp32 and exist for one tile, or one row of tiles, at a time;
// backward computes the probabilities again from the saved log-sums. The project has its own kernel
// because LibTorch's flash kernel takes three times as long on processors with bf16 instructions
// but no AMX (docs/performance.md), and has no dropout.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"

namespace lmtrain {

// Returns whether this processor and LibTorch have the bf16 matrix products that the kernel needs.
bool has_blocked_attention();

// Returns whether the processor and the tensors suit the kernel: bf16 on the CPU, a head size that
// is a multiple of 32, and at least as many key heads (over all samples) as threads, since each key
// head is computed by one thread.
bool blocked_attention_suits(const at::Tensor& q, const at::Tensor& k);

// q: [samples, heads, positions, head size], the last dim contiguous; k, v: the same, or with fewer
// heads, each of which serves equally many consecutive heads of q. Returns q's shape, laid out as
// [samples, positions, heads, head size].
at::Tensor blocked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const AttentionMask& mask, const DropoutSite& dropout);

}  // namespace lmtrain
