// Causal multi-head self-attention (Vaswani et al., 2017; GPT-2), heads cut over the tensor axis.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/dropout.h"
#include "models/linear.h"
#include "models/model_config.h"

namespace lmtrain {

class CausalSelfAttention {
 public:
  CausalSelfAttention(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                      const ModelConfig& config, Communicator& tensor_axis);

  // x: [samples, positions, hidden]; returns the same shape.
  at::Tensor operator()(const at::Tensor& x, const DropoutContext& dropout, int64_t site) const;

 private:
  int64_t head_size_;
  int64_t num_heads_;   // of this rank
  int64_t first_head_;  // of this rank
  Linear qkv_;
  Linear output_;
};

// softmax(q k^T / sqrt(head size) + causal mask) v of [samples, heads, positions, head size]. Takes
// the blocked kernel where it suits (bf16 on the CPU), else LibTorch's flash kernel; with dropout,
// which that has not, a path that forms the probabilities.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const DropoutSite& dropout);

}  // namespace lmtrain
