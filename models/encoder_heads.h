// The heads with which BERT is pretrained (Devlin et al., 2019).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/linear.h"
#include "models/model_config.h"
#include "models/norm.h"
#include "models/vocab_loss.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Predicts masked tokens: a linear layer, exact GELU and LayerNorm, then the table of the embedding
// with a bias of the head's own.
class MaskedTokenHead {
 public:
  // Declares head.transform.*, head.norm.* and head.bias. `whole` is a group of this rank alone.
  MaskedTokenHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
                  Parameter& token_table, Communicator& tensor_axis, Communicator& whole);

  // rows: [n, hidden], the encoder's output at the masked places; labels: int64 [n]; weights: fp32
  // [n].
  VocabLoss loss(const at::Tensor& rows, const at::Tensor& labels, const at::Tensor& weights,
                 const VocabLossOptions& options) const;
  // Returns [n, logical vocabulary], fp32 or fp64. Not for training.
  at::Tensor log_probabilities(const at::Tensor& rows) const;

 private:
  at::Tensor transformed(const at::Tensor& rows) const;

  Linear transform_;
  Norm norm_;
  VocabHead vocab_;
};

// Turns a sample into one vector: tanh or ReLU of a linear layer on its first token.
class Pooler {
 public:
  // Declares pooler.*.
  Pooler(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
         Communicator& whole);

  // hidden: [samples, positions, hidden]; returns [samples, hidden].
  at::Tensor operator()(const at::Tensor& hidden) const;

 private:
  PoolerActivation activation_;
  Linear linear_;
};

struct SentenceLoss {
  at::Tensor total;       // 0-dim: the sum over samples, times the scale
  at::Tensor losses;      // fp64 [samples]
  at::Tensor is_correct;  // bool [samples]
};

// Predicts whether two segments belong together (label 0) or not (1): next sentence, or sentence
// order (Lan et al., "ALBERT", 2020).
class SentenceHead {
 public:
  // Declares sentence.*.
  SentenceHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
               Communicator& whole);

  // pooled: [samples, hidden]; labels: int64 [samples], where -1 leaves a sample out.
  SentenceLoss loss(const at::Tensor& pooled, const at::Tensor& labels, double scale) const;
  // Returns [samples, 2], fp32 or fp64.
  at::Tensor logits(const at::Tensor& pooled) const;

 private:
  Linear linear_;
};

}  // namespace lmtrain
