// What all models have in common, for those who train one without knowing which.
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
// An encoder predicts at n masked tokens. A head of labels has labels and no weights, -1 where
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
  double loss = 0;  // weighted, over its targets
  int64_t num_correct =
      0;  // masked tokens predicted as the most likely; where no gradients are kept
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
  explicit Model(const ModelConfig& config) : config_(config) {}
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelConfig& config() const { return config_; }
  virtual ModelLoss loss(const ModelInput& input, const Targets& targets,
                         const LossScales& scales) const = 0;
  // Logits of a head of labels, fp32 or fp64: [samples, labels] of texts, [samples, positions,
  // labels] of tokens; of a sentence head [samples, 2]. The model has such a head.
  virtual at::Tensor label_logits(const ModelInput& input) const = 0;

 private:
  ModelConfig config_;
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
