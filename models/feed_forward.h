// The feed-forward part of a block, cut over the tensor axis:
//   down(GELU(up(x)))             GELU in its tanh form or exact
//   down(SiLU(gate(x)) * up(x))   with a gate (SwiGLU; Shazeer, "GLU Variants Improve Transformer",
//                                 2020)
#pragma once

#include <ATen/core/Tensor.h>

#include "models/linear.h"
#include "models/model_config.h"

namespace lmtrain {

class FeedForward {
 public:
  // Declares NAME.up and NAME.down. With a gate, the logical outputs of NAME.up are [2, width]:
  // gate, then up.
  FeedForward(ParameterStore& store, ParameterUnit& unit, const std::string& name,
              const ModelConfig& config, const TensorAxis& tensor_axis);

  // x: [.., hidden]; returns the same shape.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Activation activation_;
  Linear up_;
  Linear down_;
};

}  // namespace lmtrain
