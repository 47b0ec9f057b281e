// The language-model head and its loss in one: it computes the logits of a chunk of rows, their
// cross-entropy and their gradient, so that the whole [tokens, vocabulary] matrix never exists
// (Liger Kernel's fused linear cross-entropy; Hsu et al., 2024). The tensor axis may cut the
// vocabulary (Megatron-LM's vocabulary-parallel cross-entropy).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/tensor_axis.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Returns how many rows of logits exist at once: enough for matrix products at full speed, few
// enough to stay small.
int64_t rows_of_logits(bool on_cpu);

struct VocabLossOptions {
  double scale = 1.0;   // of the sum over tokens
  double z_loss = 0.0;  // weight of the square of the log of the softmax's denominator, which keeps
                        // logits from drifting (PaLM; Chowdhery et al., 2022)
  bool with_predictions = false;
};

struct VocabLoss {
  // The sum of weight * (loss + z-loss) over all tokens, times the scale: 0-dim, fp32 or fp64.
  // Backward starts here, with a gradient of one.
  at::Tensor total;
  // The log-probability of each label in nats, without z-loss: shaped like labels, fp32 or fp64.
  at::Tensor log_probabilities;
  // The most likely token, or the first of equally likely ones: shaped like labels, int64. Defined
  // where asked for.
  at::Tensor predictions;
};

class VocabHead {
 public:
  // `table`: [vocabulary rows, hidden], shared with the embedding where tied. `bias`: [vocabulary
  // rows], cut like the table, or null.
  VocabHead(Parameter& table, Parameter* bias, const TensorAxis& tensor_axis)
      : table_(table), bias_(bias), tensor_axis_(tensor_axis) {}

  // hidden: [.., hidden], this rank's rows where the axis cuts rows. labels: int64, weights: fp32,
  // both [..] of all rows; a weight of 0 leaves a token out. Where gradients are recorded, this
  // also computes those of table, bias and hidden. Log-probabilities are fp32 in every precision
  // below fp64.
  VocabLoss loss(const at::Tensor& hidden, const at::Tensor& labels, const at::Tensor& weights,
                 const VocabLossOptions& options) const;

  // Returns the logits without padded entries, [.., logical vocabulary], fp32 or fp64. hidden: [..,
  // hidden], all rows. Not for training.
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  Parameter& table_;
  Parameter* bias_;
  TensorAxis tensor_axis_;
};

}  // namespace lmtrain
