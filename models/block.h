// One block of a transformer: attention and a feed-forward part. Each is added to the residual
// stream, with a norm either before the part (GPT-2, Llama) or after the sum (Vaswani et al., 2017;
// BERT).
#pragma once

#include <deque>
#include <string>

#include <ATen/core/Tensor.h>

#include "models/attention.h"
#include "models/dropout.h"
#include "models/feed_forward.h"
#include "models/model_config.h"
#include "models/norm.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

class TransformerBlock {
 public:
  // The number of dropout sites that a block uses, counted from `site`.
  static constexpr int64_t kDropoutSites = 4;

  // Declares a unit NAME with the parameters NAME.attention.*, NAME.feed_forward.*, and their
  // norms.
  TransformerBlock(ParameterStore& store, const std::string& name, const ModelConfig& config,
                   const ModelLayout& layout);

  // x: rows [n, hidden]; returns the same shape.
  at::Tensor operator()(const at::Tensor& x, const AttentionContext& context,
                        const DropoutContext& dropout, int64_t site) const;

 private:
  at::Tensor forward(const at::Tensor& x, const AttentionContext& context,
                     const DropoutContext& dropout, int64_t site) const;

  bool has_norm_after_;
  bool recomputes_;
  ParameterUnit& unit_;
  Norm attention_norm_;
  SelfAttention attention_;
  Norm feed_forward_norm_;
  FeedForward feed_forward_;
};

// Returns x, for a unit that reads it. Where x depends on nothing that is trained, and the unit is
// trained, autograd records from here on.
at::Tensor recorded(const at::Tensor& x, const ParameterUnit& unit);

// The dropout site of the embedding; the sites of the blocks follow it.
inline constexpr int64_t kEmbeddingDropoutSite = 0;

inline int64_t first_site_behind_blocks(const ModelConfig& config) {
  return kEmbeddingDropoutSite + 1 + config.num_layers * TransformerBlock::kDropoutSites;
}

// Makes the config's blocks, as units "blocks.0", "blocks.1", ...
std::deque<TransformerBlock> add_blocks(ParameterStore& store, const ModelConfig& config,
                                        const ModelLayout& layout);
// Returns `dropout` for this rank's rows of a micro-batch. ids: [samples, positions].
DropoutContext dropout_of_rows(DropoutContext dropout, const at::Tensor& ids,
                               const TensorAxis& axis);
// Runs the blocks one after the other.
at::Tensor run_blocks(const std::deque<TransformerBlock>& blocks, at::Tensor x,
                      AttentionContext context, const DropoutContext& dropout);

// Makes a norm of the residual stream: LayerNorm or RMSNorm, as the model's traits say, over the
// rows that the axis leaves to this rank.
Norm model_norm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                const ModelConfig& config, const TensorAxis& axis);

}  // namespace lmtrain
