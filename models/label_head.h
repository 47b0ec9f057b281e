// Heads that tell what a text is, or what each of its tokens is, learned from labelled texts: on an
// encoder as Devlin et al. (2019, section 4) put them, on a decoder as the transformers package
// does, which reads the last token.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/linear.h"
#include "models/model.h"
#include "models/model_config.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

class LabelHead {
 public:
  // Declares labels.weight [labels, hidden] and, but for texts in a decoder, labels.bias. `whole`
  // is a group of this rank alone.
  LabelHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
            Communicator& whole);

  // rows: [samples, positions, hidden], all tokens or one row a text; returns [samples, positions,
  // labels], fp32 or fp64. Rows are dropped from where the originals do it: not in question
  // answering, and not from a decoder's texts.
  at::Tensor logits(const at::Tensor& rows, const DropoutContext& dropout) const;

  // What logits() said, [samples, labels] of texts and [samples, positions, labels] of
  // tokens, against Targets of the same head:
  //   sequence_classification  cross-entropy; of one label the squared difference (regression)
  //   token_classification     cross-entropy of each token
  //   question_answering       cross-entropy over a sample's tokens of the answer's first and last
  //                            one, halved; among the first lengths[s], int64 [samples]
  // Summed over what has a label and scaled by scales.targets.
  ModelLoss loss(const at::Tensor& logits, const at::Tensor& lengths, const Targets& targets,
                 const LossScales& scales) const;

  // Whether it reads one row a text.
  bool reads_texts() const { return config_.classifies_texts(); }

 private:
  ModelConfig config_;
  Linear linear_;
};

// Each sample's row at its last real token: hidden [samples, positions, features], lengths int64
// [samples], at least 1; returns [samples, features].
at::Tensor last_rows(const at::Tensor& hidden, const at::Tensor& lengths);

}  // namespace lmtrain
