#include "models/gelu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/functions.h"
#include "models/kernels/kernels.h"

namespace lmtrain {
namespace {

constexpr int64_t kGrain = 1 << 14;

bool has_kernel(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() != at::kDouble; }

struct GeluFunction : torch::autograd::Function<GeluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input) {
    const at::Tensor x = input.contiguous();
    context->save_for_backward({x});
    at::Tensor y = at::empty_like(x);
    const GeluKernels& kernels = cpu_kernels().gelu;
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      if (x.scalar_type() == at::kFloat) {
        kernels.forward_fp32(x.data_ptr<float>() + begin, end - begin, y.data_ptr<float>() + begin);
      } else {
        kernels.forward_bf16(static_cast<const uint16_t*>(x.data_ptr()) + begin, end - begin,
                             static_cast<uint16_t*>(y.data_ptr()) + begin);
      }
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::empty_like(x);
    const GeluKernels& kernels = cpu_kernels().gelu;
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      if (x.scalar_type() == at::kFloat) {
        kernels.backward_fp32(x.data_ptr<float>() + begin, dy.data_ptr<float>() + begin,
                              end - begin, dx.data_ptr<float>() + begin);
      } else {
        kernels.backward_bf16(static_cast<const uint16_t*>(x.data_ptr()) + begin,
                              static_cast<const uint16_t*>(dy.data_ptr()) + begin, end - begin,
                              static_cast<uint16_t*>(dx.data_ptr()) + begin);
      }
    });
    return {dx};
  }
};

}  // namespace

at::Tensor gelu_tanh(const at::Tensor& x) {
  return has_kernel(x) ? GeluFunction::apply(x) : at::gelu(x, "tanh");
}

at::Tensor gelu_exact(const at::Tensor& x) { return at::gelu(x); }

}  // namespace lmtrain
