// The language-model head and its loss in one: logits of a chunk of rows, their cross-entropy and
// gradient, so that the whole [tokens, vocabulary] matrix never exists (Liger Kernel's fused linear
// cross-entropy; Hsu et al., 2024). The vocabulary may be cut over the tensor axis (Megatron-LM's
// vocabulary-parallel cross-entropy).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/tensor_axis.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Rows of logits that exist at once: enough for a product of full speed, few enough to stay small.
int64_t rows_of_logits(bool on_cpu);

struct VocabLossOptions {
  double scale = 1.0;   // of the sum over tokens
  double z_loss = 0.0;  // weight of the square of the log of the softmax's denominator, which keeps
                        // logits from drifting (PaLM; Chowdhery et al., 2022)
  bool with_predictions = false;
};

struct VocabLoss {
  // Sum of weight * (loss + z-loss) over all tokens, times the scale: 0-dim, fp32 or fp64. Start
  // backward here, with one.
  at::Tensor total;
  // The log-probability of each label in nats, without z-loss: shaped like labels, fp32 or fp64.
  at::Tensor log_probabilities;
  // The most likely token, of equal ones the first: like labels, int64; where asked for.
  at::Tensor predictions;
};

class VocabHead {
 public:
  // `table` is [vocabulary rows, hidden], shared with the embedding where tied; `bias` [vocabulary
  // rows], cut like the table, or null.
  VocabHead(Parameter& table, Parameter* bias, const TensorAxis& tensor_axis)
      : table_(table), bias_(bias), tensor_axis_(tensor_axis) {}

  // hidden: [.., hidden], this rank's rows where the axis cuts them; labels: int64 and weights:
  // fp32, both [..] of all rows; a weight of 0 leaves a token out. Where gradients are recorded,
  // this computes those of table, bias and hidden as well. Log-probabilities are fp32 in every
  // precision below fp64.
  VocabLoss loss(const at::Tensor& hidden, const at::Tensor& labels, const at::Tensor& weights,
                 const VocabLossOptions& options) const;

  // [.., logical vocabulary] of hidden [.., hidden] of all rows, fp32 or fp64, without padded
  // entries. Not for training.
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  Parameter& table_;
  Parameter* bias_;
  TensorAxis tensor_axis_;
};

}  // namespace lmtrain
