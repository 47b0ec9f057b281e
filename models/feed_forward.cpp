#include "models/feed_forward.h"

#include <ATen/ATen.h>

#include "models/functions.h"
#include "models/gelu.h"

namespace lmtrain {
namespace {

LinearOutputs up_outputs(const ModelConfig& config) {
  const int64_t width = config.traits().intermediate_size;
  if (config.traits().has_gate()) return {{2, width}, /*cut_dim=*/1};
  return {{width}};
}

// Returns the matrices of gate and up in a weight [2, width, hidden size], or of up alone.
std::vector<MatrixSlice> up_matrices(const ModelConfig& config) {
  if (config.traits().has_gate()) return {{0, 0, 1}, {0, 1, 1}};
  return {{0, 0, config.traits().intermediate_size}};
}

// Computes SiLU(gate) * up of [.., 2, width]. Backward computes SiLU again, so that it is not kept.
struct GatedSiluFunction : torch::autograd::Function<GatedSiluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& both) {
    context->save_for_backward({both});
    return at::silu(both.select(-2, 0)).mul_(both.select(-2, 1));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor both = context->get_saved_variables()[0];
    const at::Tensor gate = both.select(-2, 0);
    const at::Tensor up = both.select(-2, 1);
    at::Tensor d_both = at::empty_like(both);
    d_both.select(-2, 0).copy_(at::silu_backward(gradients[0] * up, gate));
    d_both.select(-2, 1).copy_(at::silu(gate).mul_(gradients[0]));
    return {d_both};
  }
};

}  // namespace

FeedForward::FeedForward(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                         const ModelConfig& config, const TensorAxis& tensor_axis)
    : activation_(config.traits().activation),
      up_(store, unit, name + ".up", config.hidden_size, up_outputs(config), LinearCut::kColumn,
          tensor_axis,
          {.bias = config.traits().has_biases,
           .std = config.init_std,
           .matrices = up_matrices(config),
           .adapted = &config}),
      down_(store, unit, name + ".down", config.traits().intermediate_size, {{config.hidden_size}},
            LinearCut::kRow, tensor_axis,
            {.bias = config.traits().has_biases,
             .std = config.traits().residual_init_std,
             .matrices = {{0, 0, config.hidden_size}},
             .adapted = &config}) {}

at::Tensor FeedForward::operator()(const at::Tensor& x) const {
  const at::Tensor y = up_(x);
  if (activation_ == Activation::kSwiGlu)
    return down_(GatedSiluFunction::apply(y.unflatten(-1, {2, y.size(-1) / 2})));
  return down_(activation_ == Activation::kGeluExact ? gelu_exact(y) : gelu_tanh(y));
}

}  // namespace lmtrain
