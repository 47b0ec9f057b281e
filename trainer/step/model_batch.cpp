#include "trainer/step/model_batch.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

template <class T>
at::Tensor to_tensor(const Batch& batch, const std::vector<T>& values, at::ScalarType type,
                     at::Device device) {
  const at::Tensor tensor = at::empty({batch.num_samples, batch.sequence_length}, type);
  std::copy(values.begin(), values.end(), tensor.data_ptr<T>());
  return tensor.to(device);
}

// Returns the number of tokens of each sample without padding, at least 1, as int32 [samples].
at::Tensor lengths_of(const Batch& batch) {
  const auto width = static_cast<size_t>(batch.sequence_length);
  std::vector<int32_t> lengths;
  for (size_t begin = 0; begin < batch.padding_mask.size(); begin += width) {
    const auto row = batch.padding_mask.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = std::count(row, row + static_cast<std::ptrdiff_t>(width), uint8_t{1});
    lengths.push_back(std::max<int32_t>(1, static_cast<int32_t>(count)));
  }
  return at::tensor(lengths, at::kInt);
}

// A text's label and weight stand at its first token.
Targets label_targets(const Batch& batch, const ModelConfig& model, at::Device device) {
  Targets targets;
  const at::Tensor labels = to_tensor(batch, batch.labels, at::kLong, at::kCPU);
  const at::Tensor weights = to_tensor(batch, batch.weights, at::kFloat, at::kCPU);
  if (!model.classifies_texts() && !model.answers_questions()) {
    targets.labels = labels.to(device);
    targets.weights = weights.to(device);
    return targets;
  }
  targets.weights = weights.select(1, 0).to(device);
  // Rows without a sample have no label.
  const at::Tensor known = weights.select(1, 0).ne(0).unsqueeze(1);
  const at::Tensor own =
      at::where(known, labels.narrow(1, 0, model.answers_questions() ? 2 : 1), -1);
  targets.labels = (model.answers_questions() ? own : own.squeeze(1)).contiguous().to(device);
  if (model.is_regression())
    targets.values = at::tensor(batch.sample_values, at::kDouble).to(device);
  return targets;
}

// A decoder's targets are all tokens, an encoder's those with a weight.
Targets targets_of(const Batch& batch, const ModelConfig& model, at::Device device) {
  if (model.has_label_head()) return label_targets(batch, model, device);
  const ModelTraits traits = model.traits();
  Targets targets;
  if (traits.predicts_next_token()) {
    targets.labels = to_tensor(batch, batch.labels, at::kLong, device);
    targets.weights = to_tensor(batch, batch.weights, at::kFloat, device);
    return targets;
  }
  std::vector<int64_t> places;
  std::vector<int64_t> labels;
  std::vector<float> weights;
  for (size_t i = 0; i < batch.weights.size(); ++i) {
    if (batch.weights[i] == 0.0F) continue;
    places.push_back(static_cast<int64_t>(i));
    labels.push_back(batch.labels[i]);
    weights.push_back(batch.weights[i]);
  }
  targets.places = at::tensor(places, at::kLong).to(device);
  targets.labels = at::tensor(labels, at::kLong).to(device);
  targets.weights = at::tensor(weights, at::kFloat).to(device);
  if (!batch.sentence_labels.empty())
    targets.sentence_labels = at::tensor(batch.sentence_labels, at::kLong).to(device);
  return targets;
}

}  // namespace

ModelBatch to_model_batch(const Batch& batch, const ModelConfig& model,
                          const ModelBatchOptions& options, at::Device device) {
  TokenBatch tokens;
  tokens.ids = to_tensor(batch, batch.ids, at::kLong, device);
  tokens.lengths = lengths_of(batch).to(device);
  if (!batch.segments.empty())
    tokens.segments = to_tensor(batch, batch.segments, at::kLong, device);
  if (options.isolate_documents)
    tokens.document_ids = to_tensor(batch, batch.document_ids, at::kInt, device);
  ModelBatch result;
  result.input = make_input(model, tokens);
  result.input.dropout = options.dropout;
  result.input.dropout.samples = batch.sample_indices;
  result.targets = targets_of(batch, model, device);
  return result;
}

}  // namespace lmtrain
