// The bidirectional encoder of BERT (Devlin et al., 2019) and its family, with learned positions.
// As the traits say, LayerNorm stands after each residual sum and on the embeddings, or before each
// part and once at the end (Megatron-LM; Shoeybi et al., 2019). Initial weights are normal with std
// init_std.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include <ATen/core/Tensor.h>

#include "models/block.h"
#include "models/embedding.h"
#include "models/encoder_heads.h"
#include "models/label_head.h"
#include "models/model.h"

namespace lmtrain {

class Encoder : public Model {
 public:
  // The arguments are those of make_model.
  Encoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
          const ModelLayout& layout);

  // Returns the loss of the label head, or that of the masked tokens. Where the model has a
  // sentence head, the loss of the segment pairs is added to the latter.
  ModelLoss loss(const ModelInput& input, const Targets& targets,
                 const LossScales& scales) const override;
  at::Tensor label_logits(const ModelInput& input) const override;
  at::Tensor hidden(const ModelInput& input) const override;
  at::Tensor token_vectors(const at::Tensor& ids) const override;

  // Returns the loss of the language head at hidden rows [n, hidden]; labels and weights are [n].
  // To be called only where the model has that head.
  VocabLoss token_loss(const at::Tensor& rows, const at::Tensor& labels, const at::Tensor& weights,
                       const VocabLossOptions& options) const;
  // Returns the log-probability of each token of the vocabulary at each of the hidden rows, [n,
  // vocabulary]. Not for training. To be called only where the model has a language head.
  at::Tensor log_probabilities(const at::Tensor& rows) const;
  // Returns [samples, 2]: logits of "the segments belong together" and of "they do not". To be
  // called only where the model has a sentence head.
  at::Tensor sentence_logits(const at::Tensor& hidden) const;

 private:
  at::Tensor embedded(const ModelInput& input) const;

  std::unique_ptr<Communicator> whole_ =
      make_single_communicator();  // for layers that are never cut
  TensorAxis tensor_axis_;
  ParameterUnit& embedding_unit_;
  Parameter& token_table_;
  Parameter& position_table_;
  Parameter* segment_table_;            // null without segments
  std::optional<Norm> embedding_norm_;  // where norms follow the sums
  std::deque<TransformerBlock> blocks_;
  ParameterUnit& head_unit_;
  std::optional<Norm> final_norm_;  // where norms precede the parts
  std::optional<MaskedTokenHead> token_head_;
  std::optional<Pooler> pooler_;
  std::optional<SentenceHead> sentence_head_;
  std::optional<LabelHead> label_head_;
};

}  // namespace lmtrain
