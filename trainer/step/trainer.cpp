#include "trainer/step/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/hash.h"
#include "base/text.h"
#include "parallel/precision.h"
#include "parallel/typed_gather.h"
#include "trainer/step/gradient_norm.h"
#include "trainer/step/label_predictions.h"
#include "trainer/step/optimizers.h"
#include "trainer/step/replay.h"
#include "trainer/step/schedule.h"
#include "trainer/step/trained_parameters.h"

namespace lmtrain {
namespace {

BatchCounts counts_of(const Batch& batch) {
  BatchCounts counts;
  for (const uint8_t is_real : batch.padding_mask) counts.tokens += is_real;
  for (const float weight : batch.weights) {
    counts.targets += weight != 0.0F ? 1 : 0;
    counts.weights += weight;
  }
  for (const int64_t label : batch.sentence_labels) counts.sentences += label >= 0 ? 1 : 0;
  return counts;
}

int64_t num_targets_of(const Batch& batch, size_t sample) {
  const auto length = static_cast<size_t>(batch.sequence_length);
  const auto weights = std::span(batch.weights).subspan(sample * length, length);
  return std::ranges::count_if(weights, [](float weight) { return weight != 0.0F; });
}

void add(BatchCounts& to, const BatchCounts& more) {
  to.tokens += more.tokens;
  to.targets += more.targets;
  to.sentences += more.sentences;
  to.weights += more.weights;
}

double mean(double sum, int64_t count) {
  return sum / static_cast<double>(std::max<int64_t>(1, count));
}

// By the targets' weights. A batch without targets has the mean 0.
double weighted_mean(double sum, const BatchCounts& counts) {
  return counts.weights > 0 ? sum / counts.weights : 0.0;
}

// What each rank predicts of its samples, which every rank gets.
class Predictions {
 public:
  // Of the samples from `first` on.
  void add(int64_t first, const std::vector<std::vector<double>>& of_samples) {
    for (size_t i = 0; i < of_samples.size(); ++i) {
      words_.push_back(static_cast<double>(first + static_cast<int64_t>(i)));
      words_.push_back(static_cast<double>(of_samples[i].size()));
      words_.insert(words_.end(), of_samples[i].begin(), of_samples[i].end());
    }
  }

  // Collective.
  void give_to(std::vector<EvaluatedSample>& samples, Communicator& data) const {
    const std::string mine(reinterpret_cast<const char*>(words_.data()),
                           words_.size() * sizeof(double));
    for (const std::string& of_rank : gather_texts(data, mine)) {
      std::vector<double> words(of_rank.size() / sizeof(double));
      std::memcpy(words.data(), of_rank.data(), words.size() * sizeof(double));
      for (size_t at = 0; at < words.size();) {
        EvaluatedSample& sample = samples.at(static_cast<size_t>(words[at]));
        const auto begin = words.begin() + static_cast<ptrdiff_t>(at) + 2;
        const auto count = static_cast<size_t>(words[at + 1]);
        sample.predictions.assign(begin, begin + static_cast<ptrdiff_t>(count));
        at += 2 + count;
      }
    }
  }

 private:
  std::vector<double> words_;  // of each sample its number, how many follow, and these
};

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> indices;
  for (int64_t i = begin; i < end; ++i) indices.push_back(i);
  return indices;
}

}  // namespace

Trainer::Trainer(const Config& config, Mesh& mesh, at::Device device, int64_t num_vocabulary_tokens,
                 PhaseTracker& phases)
    : config_(config),
      mesh_(mesh),
      phases_(phases),
      store_(compute_type_of(config.train.precision), device, {&mesh.data(), config.parallel.zero}),
      model_(make_model(config.model, num_vocabulary_tokens, store_,
                        {mesh.tensor(), config.parallel.sequence, config.parallel.recompute})),
      optimizer_(make_optimizer(config.optimizer)),
      gradient_sync_(store_, mesh.data(), mesh.tensor(),
                     {static_cast<int64_t>(config.parallel.bucket_mib * (1 << 20)),
                      config.parallel.reduce_type == ReduceType::kBf16 ? at::kBFloat16
                                                                       : store_.master_type()}),
      guard_(config.train) {
  store_.change_specs(trained_parameters(config));
  store_.allocate(static_cast<uint64_t>(config.run.seed));
  store_.allocate_state(state_names(*optimizer_));
}

StepResult Trainer::train_step(const Loader& loader, int64_t step, const RankSignals& signals,
                               std::optional<double> schedule_step) {
  StepResult result;
  const TrainConfig& train = config_.train;

  // Data: this rank's share of the global batch, cut into micro-batches.
  std::vector<Batch> batches;
  {
    const PhaseScope scope(phases_, Phase::kData);
    const int64_t share = train.global_batch_size / mesh_.data().size();
    const int64_t batch = step + guard_.state().passed_batches;
    const int64_t first = batch * train.global_batch_size + share * mesh_.data().rank();
    for (int64_t at = first; at < first + share; at += train.micro_batch_size) {
      batches.push_back(loader.load(range(at, at + train.micro_batch_size)));
      add(result.counts, counts_of(batches.back()));
    }
  }
  result.counts = sum_over_data(result.counts);

  // Forward and backward. The gradients are those of the mean losses over all targets and sentences
  // of the global batch.
  const LossScales scales = {weighted_mean(1.0, result.counts), mean(1.0, result.counts.sentences),
                             train.z_loss};
  const auto compute = [&] { return compute_gradients(batches, step, scales); };
  const bool is_replayed = train.replay_every > 0 && (step + 1) % train.replay_every == 0;
  const std::vector<SampleResult> samples =
      is_replayed ? computed_twice(compute, step, store_, mesh_.host_world()) : compute();
  {
    const PhaseScope scope(phases_, Phase::kCommunication);
    combine(samples, signals, result);
  }

  // Optimizer: clip by the global norm, update, and refresh the compute copy for the next step.
  const PhaseScope scope(phases_, Phase::kOptimizer);
  result.gradient_norm = gradient_norm(store_, mesh_.host_data(), mesh_.host_tensor());
  const Rate rate = rate_of(schedule_step.value_or(static_cast<double>(step)));
  result.lr = rate(config_.optimizer.lr);
  judgement_ = guard_.judge(step, result.loss, result.gradient_norm);
  if (judgement_.verdict != Verdict::kUpdate) return result;
  const double limit = train.clip_grad_norm;
  const double clip =
      limit > 0 && result.gradient_norm > limit ? limit / (result.gradient_norm + 1e-6) : 1.0;
  optimizer_->update(store_, mesh_, {step + 1 - optimizer_began_, clip, rate});
  store_.refresh_updated();
  return result;
}

Rate Trainer::rate_of(double step) const {
  return [this, step](double peak) {
    return learning_rate(config_.schedule, peak, config_.train.steps, step);
  };
}

ModelBatch Trainer::on_device(const Batch& batch, DropoutContext dropout) const {
  return to_model_batch(batch, config_.model, {config_.data.isolate_documents, std::move(dropout)},
                        store_.device());
}

// While the last backward pass runs, units whose gradients are complete are already being summed
// over the data axis.
std::vector<Trainer::SampleResult> Trainer::compute_gradients(const std::vector<Batch>& batches,
                                                              int64_t step,
                                                              const LossScales& scales) {
  store_.begin_step();
  std::vector<SampleResult> samples;
  for (const Batch& batch : batches) {
    const bool is_last = &batch == &batches.back();
    forward_backward(batch, step, scales, is_last, samples);
  }
  const PhaseScope scope(phases_, Phase::kCommunication);
  gradient_sync_.finish();
  return samples;
}

void Trainer::forward_backward(const Batch& batch, int64_t step, const LossScales& scales,
                               bool is_last, std::vector<SampleResult>& results) {
  store_.begin_micro_batch(is_last);
  ModelLoss loss;
  {
    const PhaseScope scope(phases_, Phase::kForward);
    const ModelBatch tensors = on_device(
        batch, {config_.model.dropout, static_cast<uint64_t>(config_.run.seed), step, {}});
    loss = model_->loss(tensors.input, tensors.targets, scales);
  }
  const PhaseScope scope(phases_, Phase::kBackward);
  store_.begin_backward();
  loss.total.backward();
  gradient_sync_.finish_micro_batch();
  const std::vector<SampleScore> samples = loss.samples();
  for (size_t i = 0; i < samples.size(); ++i)
    results.push_back({samples[i].loss, samples[i].sentence_loss, batch.sample_hashes[i]});
}

// Every rank gets the sums of every sample and adds them in the order of the global batch. The
// ranks of a tensor axis have the same samples, so only the first of them counts.
void Trainer::combine(const std::vector<SampleResult>& mine, const RankSignals& signals,
                      StepResult& result) {
  double loss = 0;
  double sentence_loss = 0;
  StreamingHash hash;
  speeds_.clear();
  const auto of_ranks = gather_all(mesh_.host_world(), signals, mine);
  for (size_t rank = 0; rank < of_ranks.size(); ++rank) {
    const auto& [of_rank, samples] = of_ranks[rank];
    result.signals.stop_requests += of_rank.stop_requests;
    result.signals.due_saves += of_rank.due_saves;
    result.signals.due_pauses += of_rank.due_pauses;
    result.signals.new_series += of_rank.new_series;
    result.signals.finished_saves += of_rank.finished_saves;
    result.signals.watts += of_rank.watts;
    result.signals.joules += of_rank.joules;
    result.signals.grams += of_rank.grams;
    result.signals.seconds += of_rank.seconds;
    result.signals.reserve_seconds += of_rank.reserve_seconds;
    speeds_.push_back(of_rank.speed);
    const bool is_first_of_axis = rank % static_cast<size_t>(mesh_.tensor().size()) == 0;
    if (!is_first_of_axis) continue;
    for (const SampleResult& sample : samples) {
      loss += sample.loss;
      sentence_loss += sample.sentence_loss;
      hash.update(&sample.hash, sizeof sample.hash);
    }
  }
  result.loss = weighted_mean(loss, result.counts);
  result.sentence_loss = mean(sentence_loss, result.counts.sentences);
  result.data_hash = hash.digest();
}

BatchCounts Trainer::sum_over_data(const BatchCounts& mine) {
  // Counts are exact in doubles.
  const at::Tensor total =
      at::tensor({static_cast<double>(mine.tokens), static_cast<double>(mine.targets),
                  static_cast<double>(mine.sentences), mine.weights},
                 at::kDouble);
  mesh_.host_data().all_reduce(total, ReduceOp::kSum)->wait();
  const auto* const sums = total.data_ptr<double>();
  return {std::llround(sums[0]), std::llround(sums[1]), std::llround(sums[2]), sums[3]};
}

EvaluationResult Trainer::evaluate(const Loader& loader, int64_t num_samples,
                                   std::vector<EvaluatedSample>* samples,
                                   const std::function<void()>& pause) {
  const PhaseScope scope(phases_, Phase::kEvaluation);
  const at::NoGradGuard no_gradients;
  Communicator& data = mesh_.host_data();
  // Each rank fills in the scores of its samples. They are summed in the order of the samples.
  constexpr int64_t kColumns = 6;
  const at::Tensor scores = at::zeros({num_samples, kColumns}, at::kDouble);
  BatchCounts counts;
  Predictions predictions;
  const int64_t share = (num_samples + data.size() - 1) / data.size();
  const int64_t end = std::min(num_samples, share * (data.rank() + 1));
  // Every rank must run the model equally often, because its layers may gather weights.
  const int64_t first = share * data.rank();
  for (int64_t at = first; at < first + share; at += config_.train.micro_batch_size) {
    if (pause) pause();
    store_.begin_micro_batch(/*is_last=*/false);
    if (at >= end) {
      if (!store_.shards_weights()) continue;
      const ModelBatch another = on_device(loader.load(range(0, 1)), DropoutContext{});
      model_->loss(another.input, another.targets, {});
      continue;
    }
    const Batch batch = loader.load(range(at, std::min(end, at + config_.train.micro_batch_size)));
    const ModelBatch tensors = on_device(batch, DropoutContext{});
    double* row = scores[at].data_ptr<double>();
    size_t sample = 0;
    const ModelLoss loss = model_->loss(tensors.input, tensors.targets, {});
    if (samples != nullptr && loss.label_logits.defined())
      predictions.add(at, label_predictions(config_.model, batch, loss.label_logits));
    for (const SampleScore& score : loss.samples()) {
      *row++ = score.loss;
      *row++ = static_cast<double>(score.num_correct);
      *row++ = score.sentence_loss;
      *row++ = score.sentence_is_correct ? 1.0 : 0.0;
      *row++ = static_cast<double>(num_targets_of(batch, sample));
      *row++ = static_cast<double>(batch.sample_places[sample++]);
    }
    add(counts, counts_of(batch));
  }
  data.all_reduce(scores, ReduceOp::kSum)->wait();
  EvaluationResult result;
  result.counts = sum_over_data(counts);
  const auto sum = [&](int64_t column) {
    double total = 0;
    for (int64_t i = 0; i < num_samples; ++i)
      total += scores.data_ptr<double>()[i * kColumns + column];
    return total;
  };
  for (int64_t i = 0; samples != nullptr && i < num_samples; ++i) {
    const double* const row = scores.data_ptr<double>() + i * kColumns;
    samples->push_back({static_cast<int64_t>(row[5]), row[0], static_cast<int64_t>(row[4]), {}});
  }
  if (samples != nullptr && config_.model.has_label_head()) predictions.give_to(*samples, data);
  result.loss = weighted_mean(sum(0), result.counts);
  result.accuracy = mean(sum(1), result.counts.targets);
  result.sentence_loss = mean(sum(2), result.counts.sentences);
  result.sentence_accuracy = mean(sum(3), result.counts.sentences);
  return result;
}

}  // namespace lmtrain
