#include "parallel/parameter_kernels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>

#include "parallel/cuda/tensor_launch.h"

namespace lmtrain {

void cuda_add_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows) {
  TORCH_CHECK(table.is_contiguous() && rows.is_contiguous(), "rows of tables are contiguous");
  const c10::cuda::CUDAGuard guard(table.device());
  const auto [sorted, order] = at::sort(ids, /*stable=*/true, 0, false);
  cuda::check_launch(cuda::launch_add_rows({cuda::type_of(rows), cuda::type_of(table),
                                            rows.data_ptr(), table.data_ptr(),
                                            sorted.data_ptr<int64_t>(), order.data_ptr<int64_t>(),
                                            rows.size(0), rows.size(1), cuda::stream_of(table)}),
                     "table gradient");
}

at::Tensor cuda_sum_of_squares(const at::Tensor& tensor) {
  const c10::cuda::CUDAGuard guard(tensor.device());
  const auto options = tensor.options().dtype(at::kDouble);
  at::Tensor partial = at::empty({cuda::kSumBlocks}, options);
  at::Tensor sum = at::empty({1}, options);
  cuda::check_launch(cuda::launch_sum_of_squares(cuda::type_of(tensor), tensor.data_ptr(),
                                                 tensor.numel(), partial.data_ptr<double>(),
                                                 sum.data_ptr<double>(), cuda::stream_of(tensor)),
                     "sum of squares");
  return sum;
}

}  // namespace lmtrain
