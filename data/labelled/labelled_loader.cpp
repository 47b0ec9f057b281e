#include "data/labelled/labelled_loader.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "data/labelled/packed_loader.h"
#include "data/permutation.h"

namespace lmtrain {
namespace {

constexpr int64_t kBatchesOfWindow = 50;
constexpr uint64_t kBatchOrderSeed = 0x42415443484F52;

int64_t rounded_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::vector<int64_t> order_by_length(const std::vector<int64_t>& lengths, int64_t group,
                                     uint64_t seed, int64_t epoch) {
  const auto size = std::ssize(lengths);
  const Permutation any(size, seed, static_cast<uint64_t>(epoch));
  std::vector<int64_t> order;
  for (int64_t begin = 0; begin < size; begin += kBatchesOfWindow * group) {
    const int64_t end = std::min(size, begin + kBatchesOfWindow * group);
    std::vector<int64_t> window;
    for (int64_t i = begin; i < end; ++i) window.push_back(any(i));
    std::ranges::stable_sort(window, std::greater<>(),
                             [&](int64_t sample) { return lengths[static_cast<size_t>(sample)]; });
    const int64_t num_batches = std::ssize(window) / group;
    if (num_batches > 0) {
      const Permutation batches(num_batches, seed ^ kBatchOrderSeed,
                                hash_bytes(&begin, sizeof begin, static_cast<uint64_t>(epoch)));
      for (int64_t i = 0; i < num_batches; ++i) {
        const auto first = window.begin() + batches(i) * group;
        order.insert(order.end(), first, first + group);
      }
    }
    order.insert(order.end(), window.begin() + num_batches * group, window.end());
  }
  return order;
}

std::vector<double> balanced_weights(const ExampleFile& examples, size_t num_labels) {
  std::vector<double> counts(num_labels, 0);
  double all = 0;
  for (int64_t i = 0; i < examples.size(); ++i) {
    for (const int32_t label : examples.at(i).labels) {
      if (label < 0 || static_cast<size_t>(label) >= num_labels) continue;
      ++counts[static_cast<size_t>(label)];
      ++all;
    }
  }
  std::vector<double> weights;
  for (const double count : counts)
    weights.push_back(count > 0 ? all / (static_cast<double>(num_labels) * count) : 1.0);
  return weights;
}

LabelledLoader::LabelledLoader(ExampleFile file, LabelledRule rule, SampleOrder order,
                               uint64_t seed)
    : Loader(rule.sequence_length, order, seed),
      file_(std::move(file)),
      rule_(std::move(rule)),
      is_grouped_(rule_.group > 0 && order == SampleOrder::kPermutedEachEpoch) {
  set_num_samples(file_.size());
}

int64_t LabelledLoader::sample_of(int64_t index) const {
  if (!is_grouped_) return Loader::sample_of(index);
  const auto order = order_of(index / num_samples());
  return (*order)[static_cast<size_t>(index % num_samples())];
}

std::shared_ptr<const std::vector<int64_t>> LabelledLoader::order_of(int64_t epoch) const {
  constexpr size_t kKept = 2;  // a batch may lie in two epochs
  const std::lock_guard lock(mutex_);
  auto& order = orders_[epoch];
  if (!order) {
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < file_.size(); ++i) lengths.push_back(file_.length(i));
    order = std::make_shared<const std::vector<int64_t>>(
        order_by_length(lengths, rule_.group, seed(), epoch));
  }
  const std::shared_ptr<const std::vector<int64_t>> result = order;
  while (orders_.size() > kKept)
    orders_.erase(orders_.begin()->first == epoch ? std::prev(orders_.end()) : orders_.begin());
  return result;
}

Batch LabelledLoader::empty_batch(std::span<const int64_t> indices) const {
  int64_t longest = 2;  // the two ends of an answer have room
  for (const int64_t index : indices)
    if (index != kNoSample) longest = std::max(longest, file_.length(sample_of(index)));
  const int64_t width =
      std::max(longest, std::min(rounded_up(longest, rule_.width_multiple), sequence_length()));
  Batch batch = batch_without_samples(std::ssize(indices), width, rule_.pad);
  if (rule_.task == TrainingTask::kInstructionTuning) return batch;
  std::ranges::fill(batch.labels, -1);
  if (rule_.num_segments > 0) batch.segments.assign(batch.ids.size(), 0);
  if (rule_.task == TrainingTask::kRegression) batch.sample_values.assign(indices.size(), 0.0);
  if (rule_.task == TrainingTask::kQuestionAnswering) batch.passages.assign(indices.size(), {0, 1});
  return batch;
}

void LabelledLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const int64_t sample = sample_of(index);
  const Example example = file_.at(sample);
  const size_t begin = row * static_cast<size_t>(batch.sequence_length);
  const size_t length = example.ids.size();
  if (rule_.task == TrainingTask::kInstructionTuning) {
    fill_next_tokens(batch, begin, example, 0);
  } else {
    fill_labels(batch, row, example);
  }
  // Padding is a document of its own, so that it does not attend to real tokens.
  for (size_t i = length; i < static_cast<size_t>(batch.sequence_length); ++i)
    batch.document_ids[begin + i] = 1;
  batch.sample_places[row] = sample;
  StreamingHash hash;
  hash.update(example.ids.data(), length * sizeof(int32_t));
  hash.update(example.labels.data(), example.labels.size() * sizeof(int32_t));
  hash.update(&example.value, sizeof example.value);
  batch.sample_hashes[row] = hash.digest();
}

void LabelledLoader::fill_labels(Batch& batch, size_t row, const Example& example) const {
  const size_t begin = row * static_cast<size_t>(batch.sequence_length);
  const size_t length = example.ids.size();
  for (size_t i = 0; i < length; ++i) {
    batch.ids[begin + i] = example.ids[i];
    batch.padding_mask[begin + i] = 1;
    if (rule_.num_segments > 0)
      batch.segments[begin + i] = std::min<int64_t>(example.type_ids[i], rule_.num_segments - 1);
  }
  // A text's label stands at its first token, the ends of an answer at the first two.
  for (size_t i = 0; i < example.labels.size(); ++i) batch.labels[begin + i] = example.labels[i];
  switch (rule_.task) {
    case TrainingTask::kTagging:
      for (size_t i = 0; i < length; ++i) {
        const int32_t label = example.labels[i];
        if (label >= 0) batch.weights[begin + i] = weight_of(label);
      }
      break;
    case TrainingTask::kClassification:
      batch.weights[begin] = weight_of(example.labels.front());
      break;
    case TrainingTask::kRegression:
      batch.sample_values[row] = example.value;
      batch.weights[begin] = 1.0F;
      break;
    case TrainingTask::kQuestionAnswering:
      batch.weights[begin] = 1.0F;
      batch.passages[row] = {example.passage_begin,
                             example.passage_begin + std::ssize(example.bytes) / 2};
      break;
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      break;
  }
}

float LabelledLoader::weight_of(int32_t label) const {
  const auto place = static_cast<size_t>(label);
  return place < rule_.class_weights.size() ? static_cast<float>(rule_.class_weights[place]) : 1.0F;
}

}  // namespace lmtrain
