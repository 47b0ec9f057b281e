// One block of a transformer: attention and a feed-forward part, each added to the residual stream
// and normalised, either before the part (GPT-2, Llama) or after the sum (Vaswani et al., 2017;
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
  // Places of dropout that a block takes, from `site` on.
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

// The place of dropout on the embedding; those of the blocks follow it.
inline constexpr int64_t kEmbeddingDropoutSite = 0;

inline int64_t first_site_behind_blocks(const ModelConfig& config) {
  return kEmbeddingDropoutSite + 1 + config.num_layers * TransformerBlock::kDropoutSites;
}

// The config's blocks, as units "blocks.0", "blocks.1", ...
std::deque<TransformerBlock> add_blocks(ParameterStore& store, const ModelConfig& config,
                                        const ModelLayout& layout);
// Dropout of this rank's rows of a micro-batch of [samples, positions] tokens.
DropoutContext dropout_of_rows(DropoutContext dropout, const at::Tensor& ids,
                               const TensorAxis& axis);
// One after the other.
at::Tensor run_blocks(const std::deque<TransformerBlock>& blocks, at::Tensor x,
                      const AttentionContext& context, const DropoutContext& dropout);

// LayerNorm or RMSNorm of the residual stream, as the model has it and the axis cuts it.
Norm model_norm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                const ModelConfig& config, const TensorAxis& axis);

}  // namespace lmtrain
