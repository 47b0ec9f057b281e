// Launches of the models' kernels, with plain pointers as in parallel/cuda/launch.h.
#pragma once

#include "parallel/cuda/launch.h"

namespace lmtrain::cuda {

struct DropoutLaunch {
  Type type;
  const void* x;
  void* y;
  const int64_t* samples;  // global index of each sample, on the device
  int64_t rows;            // of features each
  int64_t first_row;       // the place of x among the samples' rows
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
int launch_dropout(const DropoutLaunch& launch);

// The statistics of rows are float, or double for kDouble.
struct RowsLaunch {
  Type type;
  void* logits;
  int64_t rows;
  int64_t width;
  int64_t columns;
  void* stream;
};
int launch_softmax_statistics(const RowsLaunch& launch, void* largest, void* sum_exp);
int launch_loss_gradient(const RowsLaunch& launch, const void* log_sum, const void* factor,
                         const int64_t* labels, const void* label_factor);

// Sums dy over its rows and, where x is not null, also dy (x - mean) rstd. Sums, mean and rstd are
// float, or double for kDouble; `partial` holds kSumChunks * 2 * columns of them.
struct ColumnSumsLaunch {
  Type type;
  const void* dy;
  const void* x;
  const void* mean;
  const void* rstd;
  int64_t rows;
  int64_t columns;
  void* partial;
  void* sums;
  void* products;
  void* stream;
};
inline constexpr int kSumChunks = 256;
int launch_column_sums(const ColumnSumsLaunch& launch);

}  // namespace lmtrain::cuda
