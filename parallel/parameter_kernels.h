// The project's own kernels for parameters on CUDA, where LibTorch's operations would wait for the
// device, copy, or sort twice. They are implemented twice, and CMake chooses: parallel/cuda for
// builds with CUDA; parallel/cpu_only, which is never called, for the others. All results are
// bitwise repeatable.
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Adds rows[i] to row ids[i] of the table. The rows of equal ids are added in the order of i within
// four interleaved sums. table: fp32, or fp64 for rows of fp64, [entries, features]; ids: int64
// [n]; rows: bf16, fp32 or fp64 [n, features]; all contiguous.
void cuda_add_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows);

// Returns the sum of squares of a contiguous fp32 or fp64 tensor: fp64 [1], on the device.
at::Tensor cuda_sum_of_squares(const at::Tensor& tensor);

}  // namespace lmtrain
