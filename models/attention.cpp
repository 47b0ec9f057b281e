#include "models/attention.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "models/blocked_attention.h"

namespace lmtrain {

CausalSelfAttention::CausalSelfAttention(ParameterStore& store, ParameterUnit& unit,
                                         const std::string& name, const ModelConfig& config,
                                         Communicator& tensor_axis)
    : head_size_(config.head_size()),
      num_heads_(config.num_heads / tensor_axis.size()),
      first_head_(num_heads_ * tensor_axis.rank()),
      qkv_(store, unit, name + ".qkv", config.hidden_size, {3, config.hidden_size},
           LinearCut::kColumn, tensor_axis, {.std = config.init_std}),
      output_(store, unit, name + ".output", config.hidden_size, {config.hidden_size},
              LinearCut::kRow, tensor_axis, {.std = config.residual_init_std()}) {}

at::Tensor CausalSelfAttention::operator()(const at::Tensor& x, const DropoutContext& dropout,
                                           int64_t site) const {
  const int64_t samples = x.size(0);
  const int64_t positions = x.size(1);
  // One stack in backward, where three slices would pad and add.
  const auto qkv = qkv_(x).view({samples, positions, 3, num_heads_, head_size_}).unbind(2);
  const at::Tensor mixed = causal_attention(qkv[0].transpose(1, 2), qkv[1].transpose(1, 2),
                                            qkv[2].transpose(1, 2), {dropout, site, first_head_});
  return output_(mixed.transpose(1, 2).reshape({samples, positions, num_heads_ * head_size_}));
}

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const DropoutSite& dropout) {
  if (blocked_attention_suits(q)) return blocked_causal_attention(q, k, v, dropout);
  if (dropout.context.probability == 0.0) {
    return at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true);
  }
  const int64_t positions = q.size(2);
  const at::Tensor future = at::ones({positions, positions}, q.options().dtype(at::kBool)).triu(1);
  const at::Tensor scores =
      at::matmul(q, k.transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(3)));
  const at::Tensor masked = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
  return at::matmul(attention_dropout(at::softmax(masked, -1), dropout), v);
}

}  // namespace lmtrain
