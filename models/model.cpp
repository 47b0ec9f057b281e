#include "models/model.h"

#include <ATen/ATen.h>

#include "models/decoder.h"
#include "models/encoder.h"

namespace lmtrain {
namespace {

at::Tensor on_cpu(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.detach().to(type).cpu().contiguous().view({-1});
}

}  // namespace

std::unique_ptr<Model> make_model(const ModelConfig& config, int64_t num_tokens,
                                  ParameterStore& store, const ModelLayout& layout) {
  if (!config.traits().predicts_next_token())
    return std::make_unique<Encoder>(config, num_tokens, store, layout);
  return std::make_unique<Decoder>(config, num_tokens, store, layout);
}

std::vector<SampleScore> score_samples(const VocabLoss& loss, const Targets& targets,
                                       int64_t num_samples, int64_t positions) {
  std::vector<SampleScore> samples(static_cast<size_t>(num_samples));
  const at::Tensor log_probabilities = on_cpu(loss.log_probabilities, at::kDouble);
  const at::Tensor weights = on_cpu(targets.weights, at::kFloat);
  const at::Tensor places = targets.places.defined() ? on_cpu(targets.places, at::kLong)
                                                     : at::arange(weights.numel(), at::kLong);
  const at::Tensor correct = loss.predictions.defined()
                                 ? on_cpu(loss.predictions.eq(targets.labels), at::kBool)
                                 : at::zeros({weights.numel()}, at::kBool);
  for (int64_t i = 0; i < weights.numel(); ++i) {
    const float weight = weights.data_ptr<float>()[i];
    if (weight == 0.0F) continue;
    SampleScore& score = samples[static_cast<size_t>(places.data_ptr<int64_t>()[i] / positions)];
    score.loss -= static_cast<double>(weight) * log_probabilities.data_ptr<double>()[i];
    score.num_correct += correct.data_ptr<bool>()[i] ? 1 : 0;
  }
  return samples;
}

}  // namespace lmtrain
