// The layers' autograd Functions carry values that are not tensors from forward to backward in
// saved_data, by these helpers.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "models/dropout.h"
#include "models/tensor_axis.h"
#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Saves an address, which stays valid because parameters and groups outlive every graph.
template <class T>
void save_pointer(AutogradContext* context, const char* name, T* pointer) {
  context->saved_data[name] = reinterpret_cast<int64_t>(pointer);
}

template <class T>
T* saved_pointer(AutogradContext* context, const char* name) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<T*>(context->saved_data[name].toInt());
}

inline void save_axis(AutogradContext* context, const TensorAxis& axis) {
  save_pointer(context, "axis", axis.group);
  context->saved_data["cuts_rows"] = axis.cuts_rows;
}

inline TensorAxis saved_axis(AutogradContext* context) {
  return {*saved_pointer<Communicator>(context, "axis"), context->saved_data["cuts_rows"].toBool()};
}

inline void save_dropout(AutogradContext* context, const DropoutSite& site) {
  auto& data = context->saved_data;
  data["probability"] = site.context.probability;
  data["seed"] = static_cast<int64_t>(site.context.seed);
  data["step"] = site.context.step;
  data["samples"] = site.context.samples;
  data["positions"] = site.context.positions;
  data["first_row"] = site.context.first_row;
  data["site"] = site.number;
  data["first_head"] = site.first_head;
}

inline DropoutSite saved_dropout(AutogradContext* context) {
  auto& data = context->saved_data;
  return {{data["probability"].toDouble(), static_cast<uint64_t>(data["seed"].toInt()),
           data["step"].toInt(), data["samples"].toIntVector(), data["positions"].toInt(),
           data["first_row"].toInt()},
          data["site"].toInt(),
          data["first_head"].toInt()};
}

// Views or copies [.., features] as [rows, features].
inline at::Tensor as_rows(const at::Tensor& tensor) {
  return tensor.reshape({-1, tensor.size(-1)});
}

}  // namespace lmtrain
