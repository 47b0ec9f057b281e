// The interface between the files of kernels and the files that launch them. It has plain pointers
// only, since nvcc takes long over LibTorch's headers and reads C++17. A launch returns the
// driver's error code, or 0 for none.
#pragma once

#include <cstdint>

namespace lmtrain::cuda {

enum class Type { kBFloat16, kFloat, kDouble };

const char* error_text(int code);

// Kernels of parameter_kernels.cu.
struct AddRowsLaunch {
  Type row_type;
  Type table_type;  // float, or double for rows of double
  const void* rows;
  void* table;
  const int64_t* sorted_ids;  // ascending
  const int64_t* order;       // the row that each sorted id belongs to
  int64_t count;
  int64_t features;
  void* stream;
};
int launch_add_rows(const AddRowsLaunch& launch);

// `partial` holds kSumBlocks doubles, `out` holds one.
inline constexpr int kSumBlocks = 1024;
int launch_sum_of_squares(Type type, const void* values, int64_t count, double* partial,
                          double* out, void* stream);

}  // namespace lmtrain::cuda
