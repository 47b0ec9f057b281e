// Normalisation over the last dim: LayerNorm with weight and bias (Ba, Kiros and Hinton, 2016) or
// RMSNorm with weight alone (Zhang and Sennrich, 2019).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/model_traits.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

class Norm {
 public:
  // Declares NAME.weight, and for LayerNorm NAME.bias, in `unit`. `eps` is added to the variance or
  // the mean square. Each rank along `gradient_axes` sees only a part of what is normalised, so
  // that its gradient is a part of a sum.
  Norm(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t features,
       NormKind kind, double eps, const std::vector<MeshAxis>& gradient_axes);

  // x: [.., features]; returns the same shape. For bf16 the statistics are computed in fp32.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Parameter& weight_;
  Parameter* bias_;  // null for RMSNorm
  double eps_;
};

}  // namespace lmtrain
