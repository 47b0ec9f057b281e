#include "models/linear.h"

#include <algorithm>
#include <cmath>

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

// The layer's parameters, which outlive every graph.
struct LinearParameters {
  Parameter* weight;
  Parameter* bias;  // null where there is none
  const std::vector<LinearAdapter>* adapters;
  double lora_scale;

  // Whether backward reads the inputs.
  bool read_inputs() const {
    return weight->takes_gradient() || std::ranges::any_of(*adapters, [](const LinearAdapter& one) {
             return one.a->takes_gradient() || one.b->takes_gradient();
           });
  }

  // The features of y, rows [n, this rank's outputs], that an adapter adds to: [n, outputs of the
  // slice..].
  at::Tensor slice_of(const at::Tensor& y, const MatrixSlice& slice) const {
    std::vector<int64_t> shape = weight->spec().local_shape();
    shape.pop_back();
    shape.insert(shape.begin(), -1);
    return y.view(shape).narrow(slice.dim + 1, slice.begin, slice.count);
  }

  void add_adapters(const at::Tensor& x, at::Tensor& y) const {
    const at::Tensor rows = as_rows(x);
    for (const LinearAdapter& adapter : *adapters) {
      const at::Tensor small = at::mm(rows, adapter.a->weight().t()).mul_(lora_scale);
      at::Tensor slice = slice_of(y, adapter.slice);
      slice.add_(at::mm(small, matrix(adapter.b->weight()).t()).view(slice.sizes()));
    }
  }

  // dy and x are rows; x is not read where nothing here takes a gradient.
  void adapters_backward(const at::Tensor& dy, const at::Tensor& x, at::Tensor& dx) const {
    for (const LinearAdapter& adapter : *adapters) {
      const at::Tensor a = adapter.a->weight();
      const at::Tensor b = matrix(adapter.b->weight());
      const at::Tensor dy_here = slice_of(dy, adapter.slice).reshape({dy.size(0), -1});
      const at::Tensor d_small = at::mm(dy_here, b).mul_(lora_scale);
      dx.addmm_(d_small, a);
      if (x.defined()) {
        adapter.a->add_product(d_small.t(), x);
        adapter.b->add_product(dy_here.t(), at::mm(x, a.t()).mul_(lora_scale));
      }
      adapter.a->report_use();
      adapter.b->report_use();
    }
  }
};

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const LinearParameters& layer, LinearCut cut, const TensorAxis& axis) {
    if (layer.read_inputs()) context->save_for_backward({x});
    context->saved_data["sizes"] = x.sizes().vec();
    save_pointer(context, "weight", layer.weight);
    save_pointer(context, "bias", layer.bias);
    save_pointer(context, "adapters", layer.adapters);
    context->saved_data["lora_scale"] = layer.lora_scale;
    save_axis(context, axis);
    context->saved_data["cut"] = static_cast<int64_t>(cut);
    const auto product = [&layer](const at::Tensor& rows, const at::Tensor& b) {
      at::Tensor y = at::linear(rows, matrix(layer.weight->weight()), b);
      layer.add_adapters(rows, y);
      return y;
    };
    return multiplied(product, x, layer.bias, cut, axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const LinearParameters layer = {
        saved_pointer<Parameter>(context, "weight"), saved_pointer<Parameter>(context, "bias"),
        saved_pointer<const std::vector<LinearAdapter>>(context, "adapters"),
        context->saved_data["lora_scale"].toDouble()};
    const TensorAxis axis = saved_axis(context);
    const bool is_column =
        static_cast<LinearCut>(context->saved_data["cut"].toInt()) == LinearCut::kColumn;
    at::Tensor dy = as_rows(gradients[0]).contiguous();
    if (!is_column) dy = gather_rows(dy, axis);

    // The gather of x and the sum of dx run while the matrix products are computed.
    const std::vector<int64_t> sizes = context->saved_data["sizes"].toIntVector();
    at::Tensor input;
    if (layer.read_inputs()) input = as_rows(context->get_saved_variables()[0]);
    WorkPtr input_gathered;
    if (input.defined() && is_column && axis.cuts_rows) {
      const at::Tensor part = input.contiguous();
      input = at::empty({part.size(0) * axis.size(), part.size(1)}, part.options());
      input_gathered = axis.group->all_gather(input, part);
    }
    at::Tensor dx = at::mm(dy, matrix(layer.weight->weight()));
    if (!layer.adapters->empty()) {
      if (input_gathered) input_gathered->wait();
      input_gathered = nullptr;
      layer.adapters_backward(dy, input, dx);
    }
    at::Tensor own_dx = dx;
    WorkPtr dx_summed;
    if (is_column && axis.cuts_rows) {
      own_dx = at::empty(sizes, dx.options());
      dx_summed = axis.group->reduce_scatter(own_dx, dx);
    } else if (is_column) {
      dx_summed = axis.group->all_reduce(dx, ReduceOp::kSum);
    }

    if (input_gathered) input_gathered->wait();
    if (layer.weight->takes_gradient()) layer.weight->add_product(dy.t(), input);
    layer.weight->report_use();
    if (layer.bias != nullptr) {
      if (layer.bias->takes_gradient()) layer.bias->add_gradient(sum_of_rows(dy));
      layer.bias->report_use();
    }
    if (dx_summed) dx_summed->wait();
    return {own_dx.view(sizes), {}, {}, {}};
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

// With the variance of PEFT's uniform numbers.
ParameterSpec adapter_a_spec(const LoraAdapter& adapter, int64_t rank, int64_t inputs,
                             LinearCut cut, const Communicator& axis) {
  ParameterSpec spec;
  spec.name = adapter.a;
  spec.logical_shape = {rank, inputs};
  spec.multiplied = Multiplied::kPerToken;
  spec.init_std = 1 / std::sqrt(3.0 * static_cast<double>(inputs));
  if (cut == LinearCut::kRow) {
    spec.shard_dim = 1;
    spec.shard_index = axis.rank();
    spec.num_shards = axis.size();
  } else if (axis.size() > 1) {
    spec.gradient_axes.push_back(MeshAxis::kTensor);
  }
  return spec;
}

ParameterSpec adapter_b_spec(const LoraAdapter& adapter, int64_t rank, const LinearOutputs& outputs,
                             LinearCut cut, const Communicator& axis) {
  ParameterSpec spec;
  spec.name = adapter.b;
  spec.logical_shape = outputs.shape;
  spec.logical_shape[static_cast<size_t>(adapter.slice.dim)] = adapter.slice.count;
  spec.logical_shape.push_back(rank);
  spec.multiplied = Multiplied::kPerToken;
  spec.init = Init::kZeros;
  if (cut == LinearCut::kColumn) {
    spec.shard_dim = outputs.cut_dim;
    spec.shard_index = axis.rank();
    spec.num_shards = axis.size();
  } else if (axis.size() > 1) {
    spec.gradient_axes.push_back(MeshAxis::kTensor);
  }
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
      tensor_axis_(tensor_axis) {
  if (options.adapted == nullptr || !options.adapted->lora.is_on()) return;
  const LoraConfig& lora = options.adapted->lora;
  lora_scale_ = lora_scale(lora);
  const Communicator& axis = *tensor_axis.group;
  for (const LoraAdapter& adapter : lora_adapters(*options.adapted, name)) {
    Parameter& a = store.add(unit, adapter_a_spec(adapter, lora.rank, inputs, cut, axis));
    Parameter& b = store.add(unit, adapter_b_spec(adapter, lora.rank, outputs, cut, axis));
    // Of a whole weight that is cut along the slice, the slice is what the rank has.
    MatrixSlice slice = adapter.slice;
    if (b.spec().is_cut() && b.spec().shard_dim == slice.dim) slice.count /= axis.size();
    adapters_.push_back({&a, &b, slice});
  }
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const LinearParameters layer = {&weight_, bias_, &adapters_, lora_scale_};
  if (!at::GradMode::is_enabled()) {
    const auto product = [&](const at::Tensor& rows, const at::Tensor& b) {
      const Int8Matrix* const int8 = weight_.int8();
      at::Tensor y = int8 != nullptr
                         ? inferred_linear(rows, *int8, b, rows.scalar_type())
                         : inferred_linear(rows, matrix(weight_.weight()), b, rows.scalar_type());
      layer.add_adapters(rows, y);
      return y;
    };
    return multiplied(product, x, bias_, cut_, tensor_axis_);
  }
  return LinearFunction::apply(x, layer, cut_, tensor_axis_);
}

}  // namespace lmtrain
