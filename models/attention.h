// Multi-head self-attention (Vaswani et al., 2017), heads cut over the tensor axis; groups of query
// heads may share a head of keys and values (Ainslie et al., "GQA", 2023).
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"
#include "models/linear.h"
#include "models/model_config.h"
#include "models/norm.h"
#include "models/rotary.h"

namespace lmtrain {

// What all blocks share in a micro-batch.
struct AttentionContext {
  AttentionMask mask;
  std::optional<RotaryTables> rotary;  // where positions are rotary
};

class SelfAttention {
 public:
  // Declares NAME.qkv, with logical outputs [key heads, query heads of each + 2, head size] (a
  // group's queries, its key, its value; Megatron-LM's order), NAME.output, and where the config
  // asks NAME.query_norm and NAME.key_norm.
  SelfAttention(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                const ModelConfig& config, const ModelLayout& layout);

  // x: rows [n, hidden]; returns the same shape.
  at::Tensor operator()(const at::Tensor& x, const AttentionContext& context,
                        const DropoutContext& dropout, int64_t site) const;

 private:
  // What is between the projections: qkv [samples * positions, outputs of this rank]; returns
  // [samples * positions, query heads of this rank * head size].
  at::Tensor mix(const at::Tensor& qkv, const AttentionContext& context,
                 const DropoutSite& dropout) const;

  int64_t head_size_;
  int64_t num_groups_;         // key heads of this rank
  int64_t queries_per_group_;  // query heads that share one of them
  bool recomputes_;
  Communicator& tensor_group_;
  Linear qkv_;
  Linear output_;
  std::optional<Norm> query_norm_;
  std::optional<Norm> key_norm_;
};

// softmax(q k^T / sqrt(head size) where the mask allows) v. q: [samples, heads, positions, head
// size]; k, v: the same, or with fewer heads, each for as many heads of q in a row; returns q's
// shape. Takes the blocked kernel where it suits (bf16 on the CPU), else LibTorch's flash kernel;
// with dropout, which that has not, a path that forms the probabilities.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionMask& mask, const DropoutSite& dropout);

}  // namespace lmtrain
