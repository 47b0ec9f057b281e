// How large an optimizer's state is: counted from the parameters that a model declares and from
// what the optimizer keeps for each.
#pragma once

#include <cstdint>

#include "models/model_config.h"
#include "trainer/config/optimizer_config.h"

namespace lmtrain {

// Elements, each as large as one of the master weights.
struct StateSize {
  int64_t on_rank = 0;  // of a rank of the tensor axis, before the data axis shards it
  int64_t stored = 0;   // of the whole model, as a checkpoint stores it
};

// `vocab_size`: rows of the embedding; `tensor`: ranks of the tensor axis.
StateSize state_size(const OptimizerConfig& optimizer, ModelConfig model, int64_t vocab_size,
                     int64_t tensor);

}  // namespace lmtrain
