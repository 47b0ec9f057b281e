// The project's own kernels for CUDA tensors, where LibTorch's operations would pass over memory
// several times or draw random numbers on the host. They are implemented twice, and CMake chooses:
// models/cuda for builds with CUDA; models/cpu_only, which is never called, for the others. All
// results are bitwise repeatable.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/dropout.h"

namespace lmtrain {

// Returns x times the site's factors, the same that DropoutRows draws on the host. x is contiguous
// bf16, fp32 or fp64: rows [n, features], [samples, positions, features] or [samples, heads,
// positions, keys].
at::Tensor cuda_dropout(const at::Tensor& x, const DropoutSite& site);

// Logits are contiguous bf16, fp32 or fp64 [rows, width]; their first `columns` columns are real
// and the others are padding. Statistics are [rows], fp32 (fp64 for fp64).
struct SoftmaxStatistics {
  at::Tensor largest;
  at::Tensor sum_exp;  // of exp(logit - largest)
};
SoftmaxStatistics cuda_softmax_statistics(const at::Tensor& logits, int64_t columns);
// Replaces each logit by factor * exp(logit - log_sum), less label_factor at the label's column
// (labels: int64 [rows]). Padding columns become zero.
void cuda_loss_gradient_in_place(const at::Tensor& logits, int64_t columns,
                                 const at::Tensor& log_sum, const at::Tensor& factor,
                                 const at::Tensor& labels, const at::Tensor& label_factor);

// Returns the sum of the rows of a contiguous matrix in bf16, fp32 or fp64: [columns], fp32 (fp64
// for fp64).
at::Tensor cuda_sum_of_rows(const at::Tensor& rows);

// Gradients of a LayerNorm's weight and bias, [features], in the types that cuda_sum_of_rows
// returns. dy, x: [.., features], contiguous; mean, rstd: those of each row of x, as
// native_layer_norm returns them.
struct NormGradients {
  at::Tensor weight;
  at::Tensor bias;
};
NormGradients cuda_norm_gradients(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                                  const at::Tensor& rstd);

}  // namespace lmtrain
