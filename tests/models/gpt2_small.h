// The model whose sizes the tests know best.
#pragma once

#include "models/model_config.h"

namespace lmtrain {

inline ModelConfig gpt2_small() {
  ModelConfig model;
  model.num_layers = 12;
  model.num_heads = 12;
  model.hidden_size = 768;
  model.max_positions = 1024;
  return model;
}

}  // namespace lmtrain
