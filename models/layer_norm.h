// LayerNorm over the last dim (Ba, Kiros and Hinton, 2016), with weight and bias.
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/parameter_store.h"

namespace lmtrain {

class LayerNorm {
 public:
  LayerNorm(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t features,
            double eps);

  // x: [.., features]; returns the same shape. Statistics are fp32 for bf16.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Parameter& weight_;
  Parameter& bias_;
  double eps_;
};

}  // namespace lmtrain
