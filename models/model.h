// The interface of all models; who trains a model need not know which one it is.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/model_config.h"
#include "models/model_input.h"
#include "models/tensor_axis.h"
#include "models/vocab_loss.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Training targets. A decoder predicts at every token: labels and weights are [samples, positions].
// An encoder predicts at n masked tokens. A label head has labels, int64 and -1 where there is
// none: [samples] for texts, [samples, positions] for tokens, [samples, 2] for the places of an
// answer's first and last token; and weights, [samples] or [samples, positions], or none where all
// are 1. A regression has values in place of labels.
struct Targets {
  at::Tensor places;           // int64 [n], sample * positions + position, ascending
  at::Tensor labels;           // int64 [samples, positions] or [n]
  at::Tensor weights;          // fp32, like labels; 0 leaves a target out
  at::Tensor values;           // fp32 or fp64 [samples], for a regression
  at::Tensor sentence_labels;  // int64 [samples], for a sentence head; -1: none
};

// Factors by which the sums of a micro-batch become its share of the global batch's means.
struct LossScales {
  double targets = 1.0;
  double sentences = 1.0;
  double z_loss = 0.0;
};

// Sums over one sample, in nats and without z-loss.
struct SampleScore {
  double loss = 0;  // weighted sum over the targets
  // Labels that the model finds most likely; of masked tokens only where no gradients are recorded.
  int64_t num_correct = 0;
  double sentence_loss = 0;  // of the sample's pair of segments
  bool sentence_is_correct = false;
};

struct ModelLoss {
  at::Tensor total;  // 0-dim, fp32 or fp64; backward starts here, with a gradient of one
  // Returns the scores of the samples. It waits for the device, so call it when backward is under
  // way.
  std::function<std::vector<SampleScore>()> samples;
  at::Tensor label_logits;  // of a label head (Model::label_logits), without gradients
};

class Model {
 public:
  explicit Model(const ModelConfig& config) : config_(config) {}
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const { return config_; }
  virtual ModelLoss loss(const ModelInput& input, const Targets& targets,
                         const LossScales& scales) const = 0;
  // Returns the logits of the label head, fp32 or fp64: [samples, labels] for texts, [samples,
  // positions, labels] for tokens; or those of the sentence head, [samples, 2]. To be called only
  // where the model has one of these heads.
  virtual at::Tensor label_logits(const ModelInput& input) const = 0;
  // Returns what the heads read, [samples, positions, hidden].
  virtual at::Tensor hidden(const ModelInput& input) const = 0;
  // Returns the ids' rows of the embedding, [samples, positions, hidden], without gradients: what
  // ModelInput::token_vectors takes the place of. ids: int64 [samples, positions].
  virtual at::Tensor token_vectors(const at::Tensor& ids) const = 0;

 private:
  ModelConfig config_;
};

// Makes the model and declares all its parameters in `store`. The embedding has config.vocab_size
// rows, of which the first `num_tokens` are the tokenizer's. The store and the layout's group must
// outlive the model.
std::unique_ptr<Model> make_model(const ModelConfig& config, int64_t num_tokens,
                                  ParameterStore& store, const ModelLayout& layout);

// Returns the scores of each sample from the loss of its language head, added in the order of the
// targets. `positions` is the length of a sample.
std::vector<SampleScore> score_samples(const VocabLoss& loss, const Targets& targets,
                                       int64_t num_samples, int64_t positions);

}  // namespace lmtrain
