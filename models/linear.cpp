#include "models/linear.h"

#include <ATen/ATen.h>

#include "models/few_rows.h"
#include "models/functions.h"
#include "models/row_sum.h"

namespace lmtrain {
namespace {

// Views the weight as this rank's matrix [outputs, inputs].
at::Tensor matrix(const at::Tensor& weight) { return weight.view({-1, weight.size(-1)}); }

// `product(x, bias)` multiplies this rank's parts.
template <class Product>
at::Tensor multiplied(const Product& product, const at::Tensor& x, const Parameter* bias,
                      LinearCut cut, const TensorAxis& axis) {
  const at::Tensor b = bias == nullptr ? at::Tensor() : bias->weight().view({-1});
  if (cut == LinearCut::kColumn) return product(gather_rows(x, axis), b);
  if (axis.size() == 1) return product(x, b);
  at::Tensor y = sum_rows(product(x, at::Tensor()), axis);
  return b.defined() ? y.add_(b) : y;
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Parameter* weight,
                            Parameter* bias, LinearCut cut, const TensorAxis& axis) {
    context->save_for_backward({x});
    save_pointer(context, "weight", weight);
    save_pointer(context, "bias", bias);
    save_axis(context, axis);
    context->saved_data["cut"] = static_cast<int64_t>(cut);
    const auto product = [weight](const at::Tensor& rows, const at::Tensor& b) {
      return at::linear(rows, matrix(weight->weight()), b);
    };
    return multiplied(product, x, bias, cut, axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    auto* weight = saved_pointer<Parameter>(context, "weight");
    auto* bias = saved_pointer<Parameter>(context, "bias");
    const TensorAxis axis = saved_axis(context);
    const bool is_column =
        static_cast<LinearCut>(context->saved_data["cut"].toInt()) == LinearCut::kColumn;
    at::Tensor dy = as_rows(gradients[0]).contiguous();
    if (!is_column) dy = gather_rows(dy, axis);

    // The gather of x and the sum of dx run while the matrix products are computed.
    at::Tensor input = as_rows(x);
    WorkPtr input_gathered;
    if (is_column && axis.cuts_rows) {
      const at::Tensor part = input.contiguous();
      input = at::empty({part.size(0) * axis.size(), part.size(1)}, part.options());
      input_gathered = axis.group->all_gather(input, part);
    }
    at::Tensor dx = at::mm(dy, matrix(weight->weight()));
    at::Tensor own_dx = dx;
    WorkPtr dx_summed;
    if (is_column && axis.cuts_rows) {
      own_dx = at::empty(x.sizes(), dx.options());
      dx_summed = axis.group->reduce_scatter(own_dx, dx);
    } else if (is_column) {
      dx_summed = axis.group->all_reduce(dx, ReduceOp::kSum);
    }

    if (input_gathered) input_gathered->wait();
    weight->add_product(dy.t(), input);
    weight->report_use();
    if (bias != nullptr) {
      bias->add_gradient(sum_of_rows(dy));
      bias->report_use();
    }
    if (dx_summed) dx_summed->wait();
    return {own_dx.view(x.sizes()), {}, {}, {}, {}};
  }
};

ParameterSpec weight_spec(const std::string& name, int64_t inputs, const LinearOutputs& outputs,
                          LinearCut cut, const Communicator& axis, LinearOptions options) {
  ParameterSpec spec;
  spec.name = name + ".weight";
  spec.logical_shape = outputs.shape;
  spec.logical_shape.push_back(inputs);
  spec.shard_dim =
      cut == LinearCut::kColumn ? outputs.cut_dim : static_cast<int>(outputs.shape.size());
  spec.shard_index = axis.rank();
  spec.num_shards = axis.size();
  spec.init_std = options.std;
  spec.multiplied = options.multiplied;
  spec.matrices = std::move(options.matrices);
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
               const LinearOutputs& outputs, LinearCut cut, const TensorAxis& tensor_axis,
               LinearOptions options)
    : weight_(
          store.add(unit, weight_spec(name, inputs, outputs, cut, *tensor_axis.group, options))),
      bias_(options.bias ? &store.add(unit, bias_spec(name, outputs, cut, *tensor_axis.group))
                         : nullptr),
      cut_(cut),
      tensor_axis_(tensor_axis) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (!at::GradMode::is_enabled()) {
    const auto product = [this](const at::Tensor& rows, const at::Tensor& b) {
      const Int8Matrix* const int8 = weight_.int8();
      return int8 != nullptr
                 ? inferred_linear(rows, *int8, b, rows.scalar_type())
                 : inferred_linear(rows, matrix(weight_.weight()), b, rows.scalar_type());
    };
    return multiplied(product, x, bias_, cut_, tensor_axis_);
  }
  return LinearFunction::apply(x, &weight_, bias_, cut_, tensor_axis_);
}

}  // namespace lmtrain
