// What all models have in common, for those who train one without knowing which.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"
#include "models/model_config.h"
#include "models/tensor_axis.h"
#include "models/vocab_loss.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// What a model reads of a micro-batch, on its device.
struct ModelInput {
  at::Tensor ids;        // int64 [samples, positions]
  at::Tensor positions;  // int64 [samples, positions], below max_positions
  at::Tensor segments;   // int64 [samples, positions], below segments(): bert; else undefined
  AttentionMask mask;
  at::Tensor lengths;  // int64 [samples]: real tokens of each; for heads of labels
  DropoutContext dropout;
};

// What it is to say of it. A decoder predicts at every token: labels and weights are [samples,
// positions]. bert predicts at n chosen ones. A head of labels has labels and no weights, -1 where
// there is none: int64 [samples] of texts, [samples, positions] of tokens, [samples, 2] of the
// places of an answer's first and last token; or values.
struct Targets {
  at::Tensor places;           // int64 [n], sample * positions + position, ascending
  at::Tensor labels;           // int64 [samples, positions] or [n]
  at::Tensor weights;          // fp32, like labels; 0 leaves a target out
  at::Tensor values;           // fp32 [samples]: of a regression
  at::Tensor sentence_labels;  // int64 [samples]; -1: none. With a sentence head
};

// Factors that make sums of a micro-batch parts of the global batch's means.
struct LossScales {
  double targets = 1.0;
  double sentences = 1.0;
  double z_loss = 0.0;
};

// Sums over one sample, in nats and without z-loss.
struct SampleScore {
  double loss = 0;           // weighted, over its targets
  int64_t num_correct = 0;   // targets predicted as most likely; bert without gradients
  double sentence_loss = 0;  // of its pair of segments
  bool sentence_is_correct = false;
};

struct ModelLoss {
  at::Tensor total;  // 0-dim, fp32 or fp64: start backward here, with one
  // The scores of the samples. Waits for the device, so call it when backward is under way.
  std::function<std::vector<SampleScore>()> samples;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual ModelLoss loss(const ModelInput& input, const Targets& targets,
                         const LossScales& scales) const = 0;
  // What a head of labels says, fp32 or fp64: [samples, labels] of texts, [samples, positions,
  // labels] of tokens; what one of sentences says, [samples, 2]. The model has such a head.
  virtual at::Tensor label_logits(const ModelInput& input) const = 0;
};

// Declares all parameters in `store`; config.vocab_size rows of the embedding, of which the first
// `num_tokens` are the tokenizer's. Store and the layout's group outlive the model.
std::unique_ptr<Model> make_model(const ModelConfig& config, int64_t num_tokens,
                                  ParameterStore& store, const ModelLayout& layout);

// The scores of each sample from what its head says, added in the order of the targets.
// `positions` is the length of a sample.
std::vector<SampleScore> score_samples(const VocabLoss& loss, const Targets& targets,
                                       int64_t num_samples, int64_t positions);

}  // namespace lmtrain
