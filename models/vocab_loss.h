// The language-model head and its loss in one: logits of a chunk of rows, their cross-entropy and
// gradient, so that the whole [tokens, vocabulary] matrix never exists (Liger Kernel's fused linear
// cross-entropy; Hsu et al., 2024). The vocabulary may be cut over the tensor axis (Megatron-LM's
// vocabulary-parallel cross-entropy).
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

struct VocabLoss {
  // Sum of weight * (loss + z-loss) over all tokens, times `scale`: 0-dim, fp32 or fp64. Start
  // backward here, with one.
  at::Tensor total;
  // Sum of weight * loss of each sample, in nats, without z-loss: [samples] fp64 on the CPU; and
  // the log-probability of each label, [samples, positions] fp32 or fp64.
  at::Tensor per_sample;
  at::Tensor log_probabilities;
};

class VocabHead {
 public:
  // `table` is [vocabulary rows, hidden], shared with the embedding where tied.
  VocabHead(ParameterStore& store, Parameter& table, Communicator& tensor_axis)
      : store_(store), table_(table), tensor_axis_(tensor_axis) {}

  // hidden: [samples, positions, hidden]; labels: int64 and weights: fp32, both [samples,
  // positions]; a weight of 0 leaves a token out. Where gradients are recorded, this computes those
  // of the table and of hidden as well. Log-probabilities are fp32 in every precision below fp64.
  // z-loss adds `z_loss` times the square of the log of the softmax's denominator, which keeps
  // logits from drifting (PaLM; Chowdhery et al., 2022).
  VocabLoss loss(const at::Tensor& hidden, const at::Tensor& labels, const at::Tensor& weights,
                 double scale, double z_loss = 0.0) const;

  // [.., logical vocabulary] of hidden [.., hidden], fp32 or fp64, without padded entries. Not for
  // training.
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  ParameterStore& store_;
  Parameter& table_;
  Communicator& tensor_axis_;
};

}  // namespace lmtrain
