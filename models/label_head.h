// Label heads: they classify a text or each of its tokens, or mark an answer's first and last
// token. On an encoder they are those of Devlin et al. (2019, section 4); on a decoder they are
// those of the transformers package, where the last token stands for the text.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/linear.h"
#include "models/model.h"
#include "models/model_config.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

class LabelHead {
 public:
  // Declares labels.weight [labels, hidden] and labels.bias; a decoder that classifies texts has no
  // bias. `whole` is a group of this rank alone.
  LabelHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
            Communicator& whole);

  // rows: [samples, positions, hidden], all tokens or one row per text. Returns [samples,
  // positions, labels], fp32 or fp64. Dropout is applied to the rows where the original models
  // apply it: not in question answering, and not where a decoder classifies texts.
  at::Tensor logits(const at::Tensor& rows, const DropoutContext& dropout) const;

  // Returns the loss of the logits against Targets of the same head. logits: [samples, labels] for
  // texts, [samples, positions, labels] for tokens.
  //   sequence_classification  cross-entropy; with one label the squared difference (regression)
  //   token_classification     cross-entropy of each token
  //   question_answering       half the cross-entropy of the answer's first token plus half that of
  //                            its last, over the sample's first lengths[s] tokens; int64 [samples]
  // It is weighted, summed over everything that has a label and scaled by scales.targets.
  ModelLoss loss(const at::Tensor& logits, const at::Tensor& lengths, const Targets& targets,
                 const LossScales& scales) const;

  // Whether the head reads one row per text.
  bool reads_texts() const { return config_.classifies_texts(); }

 private:
  ModelConfig config_;
  Linear linear_;
};

// Returns each sample's row at its last real token, [samples, features]. hidden: [samples,
// positions, features]; lengths: int64 [samples], at least 1.
at::Tensor last_rows(const at::Tensor& hidden, const at::Tensor& lengths);

}  // namespace lmtrain
