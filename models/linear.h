// y = x W^T + b, whole or cut over the tensor axis (Shoeybi et al., "Megatron-LM", 2019):
//   column  W's output features are cut: y is this rank's part; backward sums the gradient of x
//   row     W's input features are cut: x is this rank's part; forward sums y
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

enum class LinearCut { kColumn, kRow };

struct LinearInit {
  double std = 0.02;
};

class Linear {
 public:
  // Declares NAME.weight and NAME.bias in `unit`. `logical_outputs` is the logical shape of the
  // output features, such as {3, hidden} for a fused query-key-value matrix; a column cut cuts its
  // last dim.
  Linear(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t inputs,
         std::vector<int64_t> logical_outputs, LinearCut cut, Communicator& tensor_axis,
         LinearInit init);

  // x: [.., inputs], in the compute type; returns [.., outputs], both of this rank's part where
  // cut.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ParameterStore& store_;
  Parameter& weight_;
  Parameter& bias_;
  LinearCut cut_;
  Communicator& tensor_axis_;
};

}  // namespace lmtrain
