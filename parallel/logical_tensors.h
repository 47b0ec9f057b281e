// Between a store's shards and logical tensors, which are the same in every layout: what is saved,
// loaded and compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// A unit's buffers are named: kWeights, kGradient, or a state buffer of the optimizer. Weights and
// gradients are of every parameter, state is of those that it is kept for.
bool has_buffer(const Parameter& parameter, const std::string& buffer);

// The buffers of a unit that a checkpoint holds: its weights and its state.
std::vector<std::string> stored_buffers(const ParameterUnit& unit);

// Collective over the store's data axis and `tensor`: calls visit(parameter, logical tensor) for
// each parameter of the unit that has this buffer, in order. The tensor may be gone after the visit.
void for_each_logical(const ParameterUnit& unit, const std::string& buffer,
                      const Sharding& sharding, Communicator& tensor,
                      const std::function<void(const Parameter&, const at::Tensor&)>& visit);

// Sets this rank's shard of a parameter from its logical tensor, of any device and type. For
// weights, ParameterStore::refresh_compute() is to follow.
void set_from_logical(const Parameter& parameter, const std::string& buffer,
                      const at::Tensor& logical);

}  // namespace lmtrain
