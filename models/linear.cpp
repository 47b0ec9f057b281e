#include "models/linear.h"

#include <ATen/ATen.h>

#include "models/functions.h"
#include "models/row_sum.h"

namespace lmtrain {
namespace {

// The weight as a matrix [outputs, inputs] of this rank.
at::Tensor matrix(const at::Tensor& weight) { return weight.view({-1, weight.size(-1)}); }

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Parameter* weight,
                            Parameter* bias, LinearCut cut, Communicator* tensor_axis) {
    context->save_for_backward({x});
    save_pointer(context, "weight", weight);
    save_pointer(context, "bias", bias);
    save_pointer(context, "tensor_axis", tensor_axis);
    context->saved_data["cut"] = static_cast<int64_t>(cut);
    const at::Tensor b = bias == nullptr ? at::Tensor() : bias->weight().view({-1});
    if (cut == LinearCut::kColumn || tensor_axis->size() == 1)
      return at::linear(x, matrix(weight->weight()), b);
    at::Tensor y = at::linear(x, matrix(weight->weight()));
    tensor_axis->all_reduce(y, ReduceOp::kSum)->wait();
    return b.defined() ? y.add_(b) : y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = as_rows(gradients[0]).contiguous();
    auto* weight = saved_pointer<Parameter>(context, "weight");
    auto* bias = saved_pointer<Parameter>(context, "bias");
    auto* tensor_axis = saved_pointer<Communicator>(context, "tensor_axis");
    const auto cut = static_cast<LinearCut>(context->saved_data["cut"].toInt());

    const at::Tensor w = matrix(weight->weight());
    at::Tensor dx = at::mm(dy, w);
    WorkPtr dx_summed;  // overlaps with the weight gradient
    if (cut == LinearCut::kColumn) dx_summed = tensor_axis->all_reduce(dx, ReduceOp::kSum);

    weight->add_product(dy.t(), as_rows(x));
    weight->report_use();
    if (bias != nullptr) {
      bias->add_gradient(sum_of_rows(dy));
      bias->report_use();
    }
    if (dx_summed) dx_summed->wait();
    return {dx.view(x.sizes()), {}, {}, {}, {}};
  }
};

ParameterSpec weight_spec(const std::string& name, int64_t inputs, const LinearOutputs& outputs,
                          LinearCut cut, const Communicator& axis, double std) {
  ParameterSpec spec;
  spec.name = name + ".weight";
  spec.logical_shape = outputs.shape;
  spec.logical_shape.push_back(inputs);
  spec.shard_dim =
      cut == LinearCut::kColumn ? outputs.cut_dim : static_cast<int>(outputs.shape.size());
  spec.shard_index = axis.rank();
  spec.num_shards = axis.size();
  spec.init_std = std;
  return spec;
}

ParameterSpec bias_spec(const std::string& name, const LinearOutputs& outputs, LinearCut cut,
                        const Communicator& axis) {
  ParameterSpec spec;
  spec.name = name + ".bias";
  spec.logical_shape = outputs.shape;
  if (cut == LinearCut::kColumn) {
    spec.shard_dim = outputs.cut_dim;
    spec.shard_index = axis.rank();
    spec.num_shards = axis.size();
  }
  spec.weight_decay = false;
  spec.init = Init::kZeros;
  return spec;
}

}  // namespace

Linear::Linear(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t inputs,
               const LinearOutputs& outputs, LinearCut cut, Communicator& tensor_axis,
               LinearOptions options)
    : weight_(store.add(unit, weight_spec(name, inputs, outputs, cut, tensor_axis, options.std))),
      bias_(options.bias ? &store.add(unit, bias_spec(name, outputs, cut, tensor_axis)) : nullptr),
      cut_(cut),
      tensor_axis_(tensor_axis) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return LinearFunction::apply(x, &weight_, bias_, cut_, &tensor_axis_);
}

}  // namespace lmtrain
