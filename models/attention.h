// Multi-head self-attention (Vaswani et al., 2017). The tensor axis cuts the heads. A group of
// query heads may share one head of keys and values (Ainslie et al., "GQA", 2023).
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/cached_attention.h"
#include "models/dropout.h"
#include "models/linear.h"
#include "models/model_config.h"
#include "models/norm.h"
#include "models/rotary.h"

namespace lmtrain {

// The inputs of attention that all blocks of a micro-batch share.
struct AttentionContext {
  AttentionMask mask;  // of samples of equal length; undefined where tokens are cached
  std::optional<RotaryTables> rotary;           // where positions are rotary
  std::optional<CachedPass> cached;             // where new tokens go on from a key-value cache
  const AttentionListener* listener = nullptr;  // or null
};

class SelfAttention {
 public:
  // Declares NAME.qkv, NAME.output and, where the config asks for them, NAME.query_norm and
  // NAME.key_norm. The logical outputs of NAME.qkv are [key heads, query heads of each + 2, head
  // size]: a group's queries, its key, its value (Megatron-LM's order).
  SelfAttention(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                const ModelConfig& config, const ModelLayout& layout);

  // x: rows [n, hidden]; returns the same shape.
  at::Tensor operator()(const at::Tensor& x, const AttentionContext& context,
                        const DropoutContext& dropout, int64_t site) const;

 private:
  // Computes attention between the two projections. qkv: [rows, outputs of this rank]; returns
  // [rows, query heads of this rank * head size].
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

// Returns softmax(q k^T / sqrt(head size)) v, in the shape of q; the softmax is over the keys that
// the mask allows. q: [samples, heads, positions, head size]; k, v: the same, or with fewer heads,
// each of which serves equally many consecutive heads of q. The blocked kernel runs where it suits
// (bf16 on the CPU), else LibTorch's flash kernel. The flash kernel has no dropout: with dropout,
// attention forms the matrix of probabilities.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionMask& mask, const DropoutSite& dropout);

}  // namespace lmtrain
