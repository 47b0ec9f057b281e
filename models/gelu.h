// GELU in its tanh form: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel,
// 2016). The CPU path is own code because ATen's takes five times as long in bf16
// (docs/performance.md).
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Element by element, any shape.
at::Tensor gelu_tanh(const at::Tensor& x);

}  // namespace lmtrain
