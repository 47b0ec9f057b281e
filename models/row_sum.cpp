#include "models/row_sum.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/cuda_kernels.h"
#include "models/kernels/kernels.h"

namespace lmtrain {

at::Tensor sum_of_rows(const at::Tensor& rows) {
  if (rows.is_cuda()) return cuda_sum_of_rows(rows);
  if (rows.scalar_type() == at::kDouble) return rows.sum(0);
  const int64_t columns = rows.size(1);
  at::Tensor sums = at::empty({columns}, rows.options().dtype(at::kFloat));
  const RowSumKernels& kernels = cpu_kernels().row_sum;
  // Columns are cut at the same places whatever the number of threads, so that vectors start at the
  // same columns.
  constexpr int64_t kBlock = 128;
  at::parallel_for(0, (columns + kBlock - 1) / kBlock, 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kBlock;
    const int64_t count = std::min(columns, last * kBlock) - begin;
    float* const to = sums.data_ptr<float>() + begin;
    if (rows.scalar_type() == at::kFloat) {
      kernels.sum_fp32(rows.data_ptr<float>() + begin, rows.size(0), columns, count, to);
    } else {
      kernels.sum_bf16(static_cast<const uint16_t*>(rows.data_ptr()) + begin, rows.size(0), columns,
                       count, to);
    }
  });
  return sums;
}

}  // namespace lmtrain
