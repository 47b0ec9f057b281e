#include "models/recompute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

using Compute = std::function<at::Tensor(const at::Tensor&)>;

struct ComputeHolder : torch::CustomClassHolder {
  explicit ComputeHolder(Compute c) : compute(std::move(c)) {}
  Compute compute;
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Compute& compute) {
    context->save_for_backward({x});
    context->saved_data["compute"] =
        c10::IValue::make_capsule(c10::make_intrusive<ComputeHolder>(compute));
    // Layers compute otherwise where no gradients are recorded (few_rows.h), and these bits must be
    // those of backward. Nothing is kept, since nothing here requires a gradient.
    const at::AutoGradMode as_in_backward(true);
    return compute(x.detach());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto holder = c10::static_intrusive_pointer_cast<ComputeHolder>(
        context->saved_data["compute"].toCapsule());
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_();
    const at::AutoGradMode with_gradients(true);
    const at::Tensor y = holder->compute(x);
    return {torch::autograd::grad({y}, {x}, {gradients[0]})[0], {}};
  }
};

}  // namespace

at::Tensor recomputed(const at::Tensor& x, Compute compute) {
  if (!at::GradMode::is_enabled()) return compute(x);
  return RecomputeFunction::apply(x, compute);
}

}  // namespace lmtrain
