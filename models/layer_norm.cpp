#include "models/layer_norm.h"

#include <ATen/ATen.h>

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
    auto [dx, dw, db] = at::native_layer_norm_backward(gradients[0].contiguous(), x, {x.size(-1)},
                                                       saved[1], saved[2], weight->weight(),
                                                       bias->weight(), {true, true, true});
    weight->add_gradient(dw);
    weight->report_use();
    bias->add_gradient(db);
    bias->report_use();
    return {dx, {}, {}, {}};
  }
};

ParameterSpec spec_of(const std::string& name, int64_t features, Init init) {
  ParameterSpec spec;
  spec.name = name;
  spec.logical_shape = {features};
  spec.weight_decay = false;
  spec.init = init;
  return spec;
}

}  // namespace

LayerNorm::LayerNorm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                     int64_t features, double eps)
    : weight_(store.add(unit, spec_of(name + ".weight", features, Init::kOnes))),
      bias_(store.add(unit, spec_of(name + ".bias", features, Init::kZeros))),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return LayerNormFunction::apply(x, &weight_, &bias_, eps_);
}

}  // namespace lmtrain
