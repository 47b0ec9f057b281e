// The decoder of autoregressive language models, with a norm before each part of a block:
//   GPT-2 (Radford et al., 2019)     LayerNorm, learned positions, GELU (tanh form), biases, tied
//                                    embeddings
//   Llama (Touvron et al., 2023; Grattafiori et al., "Llama 3", 2024)
//                                    RMSNorm, rotary positions, SwiGLU, grouped queries, no biases
// Initial weights are normal with std init_std; those of residual projections are scaled by 1 /
// sqrt(2 layers) (GPT-2).
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include <ATen/core/Tensor.h>

#include "models/block.h"
#include "models/embedding.h"
#include "models/label_head.h"
#include "models/model.h"

namespace lmtrain {

class Decoder : public Model {
 public:
  // The arguments are those of make_model.
  Decoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
          const ModelLayout& layout);

  ModelLoss loss(const ModelInput& input, const Targets& targets,
                 const LossScales& scales) const override;
  at::Tensor label_logits(const ModelInput& input) const override;

  at::Tensor hidden(const ModelInput& input) const override;
  at::Tensor token_vectors(const at::Tensor& ids) const override;

  // Makes a cache for so many sequences of at most max_positions tokens.
  KeyValueCache make_cache(int64_t num_slots) const;
  // Returns what the head reads for new tokens of sequences whose earlier tokens are in the cache,
  // [rows, hidden], without gradients. The cache takes in the new ones. ids: int64 [rows], on the
  // CPU, those of all spans one after the other.
  at::Tensor hidden(const at::Tensor& ids, const std::vector<TokenSpan>& spans,
                    KeyValueCache& cache) const;
  // samples * positions of an input must be a multiple of this.
  int64_t multiple_of_rows() const { return tensor_axis_.cuts_rows ? tensor_axis_.size() : 1; }
  // To be called only where the model has a language head.
  const VocabHead& head() const { return *head_; }

 private:
  at::Tensor embedded(const ModelInput& input) const;
  // Returns this rank's rows of what hidden() gathers, [rows, hidden].
  at::Tensor own_rows_of_hidden(const ModelInput& input,
                                const std::optional<CachedPass>& cached = std::nullopt) const;

  std::unique_ptr<Communicator> whole_ =
      make_single_communicator();  // for layers that are never cut
  TensorAxis tensor_axis_;
  at::ScalarType compute_type_;
  ParameterUnit& embedding_unit_;
  Parameter& token_table_;
  Parameter* position_table_;      // learned positions, or null
  at::Tensor rotary_frequencies_;  // for rotary positions, else undefined
  std::deque<TransformerBlock> blocks_;
  ParameterUnit& head_unit_;
  Norm final_norm_;
  std::optional<VocabHead> head_;
  std::optional<LabelHead> label_head_;
};

}  // namespace lmtrain
