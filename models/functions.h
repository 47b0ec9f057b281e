// How the autograd Functions of the layers carry handles: parameters and groups are no tensors, so their
// addresses travel in saved_data.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
void save_pointer(AutogradContext* context, const char* name, T* pointer) {
  context->saved_data[name] = reinterpret_cast<int64_t>(pointer);
}

template <class T>
T* saved_pointer(AutogradContext* context, const char* name) {
  return reinterpret_cast<T*>(context->saved_data[name].toInt());
}

// [.., features] -> [rows, features]
inline at::Tensor as_rows(const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

}  // namespace lmtrain
