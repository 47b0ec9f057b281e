#include "models/cuda_kernels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>

#include "models/cuda/launch.h"
#include "parallel/cuda/tensor_launch.h"

namespace lmtrain {
namespace {

cuda::RowsLaunch rows_launch(const at::Tensor& logits, int64_t columns) {
  TORCH_CHECK(logits.is_contiguous(), "rows of logits are contiguous");
  return {cuda::type_of(logits), logits.data_ptr(), logits.size(0),
          logits.size(1),        columns,           cuda::stream_of(logits)};
}

at::TensorOptions sum_options(const at::Tensor& tensor) {
  return tensor.options().dtype(tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

// Where x is undefined, only dy is summed.
NormGradients column_sums(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                          const at::Tensor& rstd) {
  TORCH_CHECK(dy.is_contiguous() && (!x.defined() || x.is_contiguous()), "rows are contiguous");
  const c10::cuda::CUDAGuard guard(dy.device());
  const int64_t columns = dy.size(-1);
  const auto options = sum_options(dy);
  const int64_t kinds = x.defined() ? 2 : 1;
  at::Tensor partial = at::empty({cuda::kSumChunks * kinds * columns}, options);
  NormGradients sums = {x.defined() ? at::empty({columns}, options) : at::Tensor(),
                        at::empty({columns}, options)};
  const auto pointer = [](const at::Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; };
  cuda::check_launch(
      cuda::launch_column_sums({cuda::type_of(dy), dy.data_ptr(), pointer(x), pointer(mean),
                                pointer(rstd), dy.numel() / std::max<int64_t>(1, columns), columns,
                                partial.data_ptr(), sums.bias.data_ptr(), pointer(sums.weight),
                                cuda::stream_of(dy)}),
      "column sum");
  return sums;
}

}  // namespace

at::Tensor cuda_dropout(const at::Tensor& input, const DropoutSite& site) {
  const at::Tensor x = input.contiguous();
  const c10::cuda::CUDAGuard guard(x.device());
  at::Tensor y = at::empty_like(x);
  const at::Tensor samples = at::tensor(site.context.samples, at::kLong).to(x.device());
  const DropoutRate rate(site.context.probability);
  const PhiloxKey key = dropout_key(site);
  const bool is_rows = x.dim() == 2;
  const cuda::DropoutLaunch launch = {.type = cuda::type_of(x),
                                      .x = x.data_ptr(),
                                      .y = y.data_ptr(),
                                      .samples = samples.data_ptr<int64_t>(),
                                      .rows = x.numel() / std::max<int64_t>(1, x.size(-1)),
                                      .first_row = is_rows ? site.context.first_row : 0,
                                      .heads = x.dim() == 4 ? x.size(1) : 1,
                                      .positions = is_rows ? site.context.positions : x.size(-2),
                                      .features = x.size(-1),
                                      .first_head = static_cast<uint32_t>(site.first_head),
                                      .key0 = key.k0,
                                      .key1 = key.k1,
                                      .threshold = rate.threshold,
                                      .scale = rate.scale,
                                      .stream = cuda::stream_of(x)};
  cuda::check_launch(cuda::launch_dropout(launch), "dropout");
  return y;
}

SoftmaxStatistics cuda_softmax_statistics(const at::Tensor& logits, int64_t columns) {
  const c10::cuda::CUDAGuard guard(logits.device());
  const SoftmaxStatistics found = {at::empty({logits.size(0)}, sum_options(logits)),
                                   at::empty({logits.size(0)}, sum_options(logits))};
  cuda::check_launch(
      cuda::launch_softmax_statistics(rows_launch(logits, columns), found.largest.data_ptr(),
                                      found.sum_exp.data_ptr()),
      "softmax statistics");
  return found;
}

void cuda_loss_gradient_in_place(const at::Tensor& logits, int64_t columns,
                                 const at::Tensor& log_sum, const at::Tensor& factor,
                                 const at::Tensor& labels, const at::Tensor& label_factor) {
  const c10::cuda::CUDAGuard guard(logits.device());
  cuda::check_launch(
      cuda::launch_loss_gradient(rows_launch(logits, columns), log_sum.data_ptr(),
                                 factor.contiguous().data_ptr(), labels.data_ptr<int64_t>(),
                                 label_factor.contiguous().data_ptr()),
      "loss gradient");
}

at::Tensor cuda_sum_of_rows(const at::Tensor& rows) { return column_sums(rows, {}, {}, {}).bias; }

NormGradients cuda_norm_gradients(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                                  const at::Tensor& rstd) {
  return column_sums(dy, x, mean, rstd);
}

}  // namespace lmtrain
