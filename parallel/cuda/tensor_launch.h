// Converts tensors to the arguments of a launch.
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/cuda/launch.h"

namespace lmtrain::cuda {

// Returns the type of a tensor in bf16, fp32 or fp64.
inline Type type_of(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kBFloat16) return Type::kBFloat16;
  return tensor.scalar_type() == at::kFloat ? Type::kFloat : Type::kDouble;
}

// Returns the stream that LibTorch's operations on this tensor run on.
void* stream_of(const at::Tensor& tensor);

// Throws when a launch returned an error code of the driver.
void check_launch(int code, const char* kernel);

}  // namespace lmtrain::cuda
