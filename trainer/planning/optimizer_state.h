// How large an optimizer's state, work areas and work are: counted from the parameters that a model
// declares and from what the optimizer says of each.
#pragma once

#include <cstdint>

#include "parallel/parameter_store.h"
#include "trainer/config/optimizer_config.h"

namespace lmtrain {

// Elements, each as large as one of the master weights.
struct StateSize {
  int64_t on_rank = 0;  // of a rank of the tensor axis, before the data axis shards it
  int64_t stored = 0;   // of the whole model, as a checkpoint stores it
  // Of tensors that are updated by whole matrices (trainer/step/whole_tensors.h): of all of them in
  // the largest group that is exchanged at once, on a rank of the tensor axis, and of the largest.
  int64_t group = 0;
  int64_t largest_tensor = 0;
  int64_t all_groups = 0;  // elements of all groups, on a rank of the tensor axis
  // FLOPs of an update: those of the rank that has the most work in a group, added up over groups.
  double owner_flops = 0;

  // What a rank takes for an update beside the state, in elements.
  int64_t work(int64_t data_ranks, bool is_sharded) const;
};

// `declared`: what declared_parameters() returns; `num_ranks`: those of both axes.
StateSize state_size(const OptimizerConfig& optimizer, const ParameterStore& declared,
                     int64_t num_ranks);

}  // namespace lmtrain
