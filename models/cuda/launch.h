// What the kernels' files and the file that calls them agree on: plain pointers, since nvcc takes
// long over LibTorch's headers and reads C++17.
#pragma once

#include <cstdint>

namespace lmtrain::cuda {

enum class Type { kBFloat16, kFloat, kDouble };

struct DropoutLaunch {
  Type type;
  const void* x;
  void* y;
  const int64_t* samples;  // global index of each sample, on the device
  int64_t num_samples;
  int64_t heads;
  int64_t positions;
  int64_t features;
  uint32_t first_head;
  uint32_t key0;
  uint32_t key1;
  uint32_t threshold;
  double scale;
  void* stream;
};
// The driver's error code, 0 for none.
int launch_dropout(const DropoutLaunch& launch);

struct RowsLaunch {
  Type type;
  void* logits;
  int64_t rows;
  int64_t width;
  int64_t columns;
  void* stream;
};
// Statistics are float, double for kDouble.
int launch_row_max(const RowsLaunch& launch, void* out);
int launch_row_sum_exp(const RowsLaunch& launch, const void* shift, void* out);
int launch_loss_gradient(const RowsLaunch& launch, const void* log_sum, const void* factor,
                         const int64_t* labels, const void* label_factor);

const char* error_text(int code);

}  // namespace lmtrain::cuda
