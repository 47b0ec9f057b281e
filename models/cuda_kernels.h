// Own kernels for CUDA tensors, where LibTorch's operations would pass over memory several times or
// draw on the host. Implemented twice, chosen by CMake: models/cuda for builds with CUDA,
// models/cpu_only, which is never called, for the others. All are bitwise repeatable.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/dropout.h"

namespace lmtrain {

// x times the factors of the site, as DropoutRows draws them on the host. x is contiguous bf16, fp32
// or fp64, [samples, positions, features] or [samples, heads, positions, keys].
at::Tensor cuda_dropout(const at::Tensor& x, const DropoutSite& site);

// Logits are contiguous bf16, fp32 or fp64 [rows, width], of which the first `columns` are real;
// statistics are fp32 (fp64 for fp64), [rows].
at::Tensor cuda_row_max(const at::Tensor& logits, int64_t columns);
// Sum of exp(logit - shift).
at::Tensor cuda_row_sum_exp(const at::Tensor& logits, int64_t columns, const at::Tensor& shift);
// In place: factor exp(logit - log_sum), less label_factor at the label's column (int64 [rows]);
// columns that are not real become zero.
void cuda_loss_gradient_in_place(const at::Tensor& logits, int64_t columns,
                                 const at::Tensor& log_sum, const at::Tensor& factor,
                                 const at::Tensor& labels, const at::Tensor& label_factor);

}  // namespace lmtrain
