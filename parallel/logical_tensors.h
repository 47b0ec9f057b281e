// Converts between a store's shards and logical tensors, which are the same in every layout: they
// are what is saved, loaded and compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// A unit's buffers have names: kWeights, kGradient, or that of a state buffer of the optimizer.
// Every parameter has weights, trained ones a gradient, and some of these state.
bool has_buffer(const Parameter& parameter, const std::string& buffer);

// Returns the buffers of a unit that a checkpoint holds: its weights and its state.
std::vector<std::string> stored_buffers(const ParameterUnit& unit);

// Collective over the store's data axis and `tensor`. Calls visit(parameter, logical tensor) for
// each parameter of the unit that has this buffer, in order. The tensor is valid only during the
// visit.
void for_each_logical(const ParameterUnit& unit, const std::string& buffer,
                      const Sharding& sharding, Communicator& tensor,
                      const std::function<void(const Parameter&, const at::Tensor&)>& visit);

// Sets this rank's shard of a parameter from its logical tensor, of any device and type. After
// setting weights, call ParameterStore::refresh_compute().
void set_from_logical(const Parameter& parameter, const std::string& buffer,
                      const at::Tensor& logical);

}  // namespace lmtrain
