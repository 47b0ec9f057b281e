// GELU (Hendrycks and Gimpel, 2016):
//   exact      x (1 + erf(x / sqrt(2))) / 2
//   tanh form  x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
// The tanh form on the CPU is the project's own code because ATen's takes five times as long in
// bf16 (docs/performance.md).
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Both work element by element, on any shape.
at::Tensor gelu_tanh(const at::Tensor& x);
at::Tensor gelu_exact(const at::Tensor& x);

}  // namespace lmtrain
