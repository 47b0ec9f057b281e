// The bidirectional encoder of BERT (Devlin et al., 2019) and its family: learned positions,
// LayerNorm after each residual sum and on the embeddings, or before each part and once at the end
// (Megatron-LM; Shoeybi et al., 2019), as the traits say. Initial weights are normal with std
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
  // As make_model.
  Encoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
          const ModelLayout& layout);

  // Labels, or masked tokens and, where the model has a sentence head, pairs of segments: the sum
  // of both means.
  ModelLoss loss(const ModelInput& input, const Targets& targets,
                 const LossScales& scales) const override;
  at::Tensor label_logits(const ModelInput& input) const override;

  // [samples, positions, hidden]: what the heads read.
  at::Tensor hidden(const ModelInput& input) const;
  // Log-probability of a token at a place of hidden rows, [n, vocabulary]; not for training. The
  // model has a language head.
  at::Tensor log_probabilities(const at::Tensor& rows) const;
  // [samples, 2]: of pairs that belong together, and that do not. The model has a sentence head.
  at::Tensor sentence_logits(const at::Tensor& hidden) const;

 private:
  at::Tensor embedded(const ModelInput& input) const;

  std::unique_ptr<Communicator> whole_ = make_single_communicator();  // for what is never cut
  TensorAxis tensor_axis_;
  ParameterUnit& embedding_unit_;
  Parameter& token_table_;
  Parameter& position_table_;
  Parameter* segment_table_;            // null without segments
  std::optional<Norm> embedding_norm_;  // with norms after
  std::deque<TransformerBlock> blocks_;
  ParameterUnit& head_unit_;
  std::optional<Norm> final_norm_;  // with norms before
  std::optional<MaskedTokenHead> token_head_;
  std::optional<Pooler> pooler_;
  std::optional<SentenceHead> sentence_head_;
  std::optional<LabelHead> label_head_;
};

}  // namespace lmtrain
