#include "models/cuda_kernels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "models/cuda/launch.h"

namespace lmtrain {
namespace {

void check(int code, const char* kernel) {
  TORCH_CHECK(code == 0, "the ", kernel, " kernel could not start: ", cuda::error_text(code));
}

cuda::Type type_of(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kBFloat16) return cuda::Type::kBFloat16;
  return tensor.scalar_type() == at::kFloat ? cuda::Type::kFloat : cuda::Type::kDouble;
}

void* stream_of(const at::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
}

cuda::RowsLaunch rows_launch(const at::Tensor& logits, int64_t columns) {
  TORCH_CHECK(logits.is_contiguous(), "rows of logits are contiguous");
  return {type_of(logits),  logits.data_ptr(), logits.size(0),
          logits.size(1), columns,           stream_of(logits)};
}

at::Tensor statistic_of(const at::Tensor& logits) {
  const auto type = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::empty({logits.size(0)}, logits.options().dtype(type));
}

}  // namespace

at::Tensor cuda_dropout(const at::Tensor& input, const DropoutSite& site) {
  const at::Tensor x = input.contiguous();
  const c10::cuda::CUDAGuard guard(x.device());
  at::Tensor y = at::empty_like(x);
  const at::Tensor samples = at::tensor(site.context.samples, at::kLong).to(x.device());
  const DropoutRate rate(site.context.probability);
  const PhiloxKey key = dropout_key(site);
  check(cuda::launch_dropout({type_of(x), x.data_ptr(), y.data_ptr(), samples.data_ptr<int64_t>(),
                              x.size(0), x.dim() == 4 ? x.size(1) : 1, x.size(-2), x.size(-1),
                              static_cast<uint32_t>(site.first_head), key.k0, key.k1,
                              rate.threshold, rate.scale, stream_of(x)}),
        "dropout");
  return y;
}

at::Tensor cuda_row_max(const at::Tensor& logits, int64_t columns) {
  at::Tensor out = statistic_of(logits);
  check(cuda::launch_row_max(rows_launch(logits, columns), out.data_ptr()), "row maximum");
  return out;
}

at::Tensor cuda_row_sum_exp(const at::Tensor& logits, int64_t columns, const at::Tensor& shift) {
  at::Tensor out = statistic_of(logits);
  check(cuda::launch_row_sum_exp(rows_launch(logits, columns), shift.data_ptr(), out.data_ptr()),
        "sum of exponentials");
  return out;
}

void cuda_loss_gradient_in_place(const at::Tensor& logits, int64_t columns,
                                 const at::Tensor& log_sum, const at::Tensor& factor,
                                 const at::Tensor& labels, const at::Tensor& label_factor) {
  check(cuda::launch_loss_gradient(rows_launch(logits, columns), log_sum.data_ptr(),
                                   factor.contiguous().data_ptr(), labels.data_ptr<int64_t>(),
                                   label_factor.contiguous().data_ptr()),
        "loss gradient");
}

}  // namespace lmtrain
