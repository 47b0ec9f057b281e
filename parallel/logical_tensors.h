// Between a store's shards and logical tensors, which are the same in every layout: what is saved,
// loaded and compared.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Buffers that every rank has a shard of.
enum class StateBuffer { kWeights, kExpAvg, kExpAvgSq, kGradient };

// This rank's shard of a unit's buffer.
const at::Tensor& shard_of(const ParameterUnit& unit, StateBuffer buffer);

// Collective over the store's data axis and `tensor`: calls visit(parameter, logical tensor) for
// each parameter of the unit, in order. The tensor is a view of the store where the layout cuts
// nothing, and is gone after the visit where it does.
void for_each_logical(const ParameterUnit& unit, StateBuffer buffer, const Sharding& sharding,
                      Communicator& tensor,
                      const std::function<void(const Parameter&, const at::Tensor&)>& visit);

// Sets this rank's shard of a parameter from its logical tensor, of any device and type. For
// weights, ParameterStore::refresh_compute() is to follow.
void set_from_logical(const Parameter& parameter, StateBuffer buffer, const at::Tensor& logical);

}  // namespace lmtrain
