// Linear layers of few rows, as in decoding, where a product costs one pass over the weights. The
// project has its own kernel because a row's result must not depend on the rows beside it, and
// because LibTorch's products of one row reach less of the memory's bandwidth
// (docs/performance.md).
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/parameter_store.h"

namespace lmtrain {

// The most rows for which the kernel is taken. A longer product is computed by LibTorch.
inline constexpr int64_t kMostFewRows = 32;

// Returns x W^T + b in the type `result`, without gradients. x: [.., inputs]; weight: [outputs,
// inputs] in the same type; bias: [outputs] or undefined. On the CPU in bf16 and fp32, few rows are
// computed each by itself, with sums in fp32; everything else by LibTorch. Many rows in bf16 are
// widened to fp32 for it on processors without AMX, where that is faster.
at::Tensor inferred_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           at::ScalarType result);

// The same for a matrix in 8 bits, whose values are widened as they are read. More rows than a few,
// and everything that is not on the CPU, are computed by LibTorch from a widened copy.
at::Tensor inferred_linear(const at::Tensor& x, const Int8Matrix& weight, const at::Tensor& bias,
                           at::ScalarType result);

}  // namespace lmtrain
