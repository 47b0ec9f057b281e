#include "models/norm.h"

#include <ATen/ATen.h>

#include "models/cuda_kernels.h"
#include "models/functions.h"

namespace lmtrain {
namespace {

struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Parameter* weight,
                            Parameter* bias, double eps) {
    auto [y, mean, rstd] =
        at::native_layer_norm(x, {x.size(-1)}, weight->weight(), bias->weight(), eps);
    context->save_for_backward({x, mean, rstd});
    save_pointer(context, "weight", weight);
    save_pointer(context, "bias", bias);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    auto* weight = saved_pointer<Parameter>(context, "weight");
    auto* bias = saved_pointer<Parameter>(context, "bias");
    const at::Tensor dy = gradients[0].contiguous();
    const bool own = x.is_cuda() && x.is_contiguous();  // LibTorch's sums over rows take longer
    auto [dx, dw, db] =
        at::native_layer_norm_backward(dy, x, {x.size(-1)}, saved[1], saved[2], weight->weight(),
                                       bias->weight(), {true, !own, !own});
    if (own) {
      const NormGradients sums = cuda_norm_gradients(dy, x, saved[1], saved[2]);
      dw = sums.weight;
      db = sums.bias;
    }
    weight->add_gradient(dw);
    weight->report_use();
    bias->add_gradient(db);
    bias->report_use();
    return {dx, {}, {}, {}};
  }
};

// y = x / rms(x) * w. With g = dy * w and n = x / rms(x):
//   dx = (g - n mean(g n)) / rms(x)
//   dw = sum of dy n over rows
// LibTorch has a fused kernel for CUDA alone.
struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Parameter* weight,
                            double eps) {
    const at::Tensor wide = widened(x);
    const at::Tensor inverse = wide.square().mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    context->save_for_backward({x, inverse});
    save_pointer(context, "weight", weight);
    return (wide * inverse).mul_(weight->weight()).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& inverse = saved[1];
    auto* weight = saved_pointer<Parameter>(context, "weight");
    const at::Tensor normalised = widened(saved[0]) * inverse;
    const at::Tensor dy = widened(gradients[0]);
    const at::Tensor g = dy * weight->weight();
    const at::Tensor along = (g * normalised).mean(-1, /*keepdim=*/true);
    const at::Tensor dx = g.sub(normalised * along).mul_(inverse).to(saved[0].scalar_type());
    weight->add_gradient(as_rows(dy * normalised).sum(0));
    weight->report_use();
    return {dx, {}, {}};
  }

  static at::Tensor widened(const at::Tensor& x) {
    return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  }
};

ParameterSpec spec_of(const std::string& name, int64_t features, Init init,
                      const std::vector<MeshAxis>& gradient_axes) {
  ParameterSpec spec;
  spec.name = name;
  spec.logical_shape = {features};
  spec.weight_decay = false;
  spec.init = init;
  spec.gradient_axes = gradient_axes;
  return spec;
}

}  // namespace

Norm::Norm(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t features,
           NormKind kind, double eps, const std::vector<MeshAxis>& gradient_axes)
    : weight_(store.add(unit, spec_of(name + ".weight", features, Init::kOnes, gradient_axes))),
      bias_(kind == NormKind::kLayer
                ? &store.add(unit, spec_of(name + ".bias", features, Init::kZeros, gradient_axes))
                : nullptr),
      eps_(eps) {}

at::Tensor Norm::operator()(const at::Tensor& x) const {
  if (bias_ == nullptr) return RmsNormFunction::apply(x, &weight_, eps_);
  return LayerNormFunction::apply(x, &weight_, bias_, eps_);
}

}  // namespace lmtrain
