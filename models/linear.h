// y = x W^T + b, whole or cut over the tensor axis (Shoeybi et al., "Megatron-LM", 2019):
//   column  W's output features are cut: y is this rank's part; backward sums the gradient of x
//   row     W's input features are cut: x is this rank's part; forward sums y
// Where the axis cuts rows, x of a column layer and y of a row layer are this rank's rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/lora.h"
#include "models/tensor_axis.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

enum class LinearCut { kColumn, kRow };

// The logical shape of the output features, such as {2, width} for two matrices in one, and which
// of its dims a column cut cuts.
struct LinearOutputs {
  std::vector<int64_t> shape;
  int cut_dim = 0;
};

struct LinearOptions {
  bool bias = true;
  double std = 0.02;  // of the initial weights
  Multiplied multiplied = Multiplied::kPerToken;
  std::vector<MatrixSlice> matrices = {};  // of the weight, as in ParameterSpec
  const ModelConfig* adapted = nullptr;    // the model whose adapters the layer has; null: none
};

// An adapter of a linear layer. A column cut cuts B as the weight and leaves A whole; a row cut
// cuts A and leaves B whole. Each rank adds what its parts make, and the sums that the layer's cut
// asks for are those of the adapter too.
struct LinearAdapter {
  Parameter* a;       // [rank, inputs]
  Parameter* b;       // [outputs of the slice.., rank]
  MatrixSlice slice;  // of this rank's outputs
};

class Linear {
 public:
  // Declares NAME.weight [outputs.., inputs] and, where asked, NAME.bias [outputs..] in `unit`, and
  // of each adapter NAME.lora.LAYER.a and .b.
  Linear(ParameterStore& store, ParameterUnit& unit, const std::string& name, int64_t inputs,
         const LinearOutputs& outputs, LinearCut cut, const TensorAxis& tensor_axis,
         LinearOptions options);

  // x: [.., inputs], in the compute type; returns [.., outputs]. The features that the layer cuts
  // are this rank's part. Where the axis cuts rows, both have two dims.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Parameter& weight_;
  Parameter* bias_;  // null where there is none
  std::vector<LinearAdapter> adapters_;
  double lora_scale_ = 0;
  LinearCut cut_;
  TensorAxis tensor_axis_;
};

}  // namespace lmtrain
