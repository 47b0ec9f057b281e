#include "trainer/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "trainer/adamw.h"
#include "trainer/model_batch.h"
#include "trainer/schedule.h"

namespace lmtrain {
namespace {

int64_t count_valid(const Batch& batch) {
  return std::count_if(batch.weights.begin(), batch.weights.end(),
                       [](float w) { return w != 0.0F; });
}

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
      store_(compute_type_of(config.train.precision), device),
      model_(config.model, num_vocabulary_tokens, store_, mesh.tensor()),
      gradient_sync_(store_, mesh.data(),
                     static_cast<int64_t>(config.parallel.bucket_mib * (1 << 20))) {
  store_.allocate(static_cast<uint64_t>(config.run.seed));
}

StepResult Trainer::train_step(const Loader& loader, int64_t step, const RankSignals& signals) {
  StepResult result;
  const TrainConfig& train = config_.train;

  // Data: this rank's share of the global batch, cut into micro-batches.
  std::vector<Batch> batches;
  {
    const PhaseScope scope(phases_, Phase::kData);
    const int64_t share = train.global_batch_size / mesh_.data().size();
    const int64_t first = step * train.global_batch_size + share * mesh_.data().rank();
    for (int64_t at = first; at < first + share; at += train.micro_batch_size) {
      batches.push_back(loader.load(range(at, at + train.micro_batch_size)));
      result.num_tokens += count_valid(batches.back());
    }
  }
  result.num_tokens = sum_over_data(result.num_tokens);

  // Forward and backward. Gradients are of the mean over all valid tokens of the global batch;
  // while the last backward runs, units that are complete are already being summed over the data
  // axis.
  store_.begin_step();
  std::vector<SampleResult> samples;
  for (const Batch& batch : batches) {
    const bool is_last = &batch == &batches.back();
    forward_backward(batch, step, 1.0 / static_cast<double>(result.num_tokens), is_last, samples);
  }
  {
    const PhaseScope scope(phases_, Phase::kCommunication);
    gradient_sync_.finish();
    combine(samples, signals, result);
  }

  // Optimizer: clip by the global norm, AdamW, and the compute copy for the next step.
  const PhaseScope scope(phases_, Phase::kOptimizer);
  result.gradient_norm = gradient_norm(store_);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw CollectiveError(
        ExitCode::kNumeric,
        cat("loss ", result.loss, " and gradient norm ", result.gradient_norm, " of step ",
            step + 1,
            " are not finite; nothing was updated. Lower optimizer.lr, or resume from an earlier "
            "checkpoint"));
  }
  const double limit = train.clip_grad_norm;
  const double clip =
      limit > 0 && result.gradient_norm > limit ? limit / (result.gradient_norm + 1e-6) : 1.0;
  result.lr = learning_rate(config_.schedule, config_.optimizer.lr, train.steps, step);
  adamw_update(store_, config_.optimizer, result.lr, step + 1, clip);
  return result;
}

void Trainer::forward_backward(const Batch& batch, int64_t step, double scale, bool is_last,
                               std::vector<SampleResult>& results) {
  store_.begin_micro_batch(is_last);
  const DropoutContext dropout{
      config_.model.dropout, static_cast<uint64_t>(config_.run.seed), step, {}};
  VocabLoss loss;
  {
    const PhaseScope scope(phases_, Phase::kForward);
    const ModelBatch tensors =
        to_model_batch(batch, dropout, config_.data.isolate_documents, store_.device());
    loss = model_.head().loss(model_.hidden(tensors.input), tensors.labels, tensors.weights, scale,
                              config_.train.z_loss);
  }
  const PhaseScope scope(phases_, Phase::kBackward);
  loss.total.backward();
  for (int64_t i = 0; i < batch.num_samples; ++i) {
    results.push_back(
        {loss.per_sample.data_ptr<double>()[i], batch.sample_hashes[static_cast<size_t>(i)]});
  }
}

// Every rank gets every sample's sums and adds them in the order of the global batch.
void Trainer::combine(const std::vector<SampleResult>& mine, const RankSignals& signals,
                      StepResult& result) {
  Communicator& data = mesh_.host_data();
  std::vector<int64_t> words;
  for (const SampleResult& sample : mine) {
    words.push_back(std::bit_cast<int64_t>(sample.loss));
    words.push_back(std::bit_cast<int64_t>(sample.hash));
  }
  words.push_back(signals.stop_requested ? 1 : 0);
  words.push_back(std::bit_cast<int64_t>(signals.watts));
  words.push_back(std::bit_cast<int64_t>(signals.joules));
  const at::Tensor all = at::empty({data.size(), static_cast<int64_t>(words.size())}, at::kLong);
  data.all_gather(all, at::tensor(words, at::kLong))->wait();

  double loss = 0;
  StreamingHash hash;
  const auto* word = all.data_ptr<int64_t>();
  for (int rank = 0; rank < data.size(); ++rank) {
    for (size_t i = 0; i < mine.size(); ++i) {
      loss += std::bit_cast<double>(*word++);
      hash.update(word++, sizeof(int64_t));
    }
    result.signals.stop_requested |= *word++ != 0;
    result.signals.watts += std::bit_cast<double>(*word++);
    result.signals.joules += std::bit_cast<double>(*word++);
  }
  result.loss = loss / static_cast<double>(result.num_tokens);
  result.data_hash = hash.digest();
}

int64_t Trainer::sum_over_data(int64_t mine) {
  const at::Tensor total = at::tensor({mine}, at::kLong);
  mesh_.host_data().all_reduce(total, ReduceOp::kSum)->wait();
  return total.item<int64_t>();
}

EvaluationResult Trainer::evaluate(const Loader& loader, int64_t num_samples) {
  const PhaseScope scope(phases_, Phase::kEvaluation);
  const at::NoGradGuard no_gradients;
  Communicator& data = mesh_.host_data();
  // Losses by sample, each from the rank that computed it, summed in the order of the samples.
  const at::Tensor losses = at::zeros({num_samples}, at::kDouble);
  int64_t num_tokens = 0;
  const int64_t share = (num_samples + data.size() - 1) / data.size();
  const int64_t end = std::min(num_samples, share * (data.rank() + 1));
  for (int64_t at = share * data.rank(); at < end; at += config_.train.micro_batch_size) {
    const Batch batch = loader.load(range(at, std::min(end, at + config_.train.micro_batch_size)));
    const ModelBatch tensors =
        to_model_batch(batch, DropoutContext{}, config_.data.isolate_documents, store_.device());
    const VocabLoss loss =
        model_.head().loss(model_.hidden(tensors.input), tensors.labels, tensors.weights, 1.0);
    losses.narrow(0, at, batch.num_samples).copy_(loss.per_sample);
    num_tokens += count_valid(batch);
  }
  data.all_reduce(losses, ReduceOp::kSum)->wait();
  EvaluationResult result;
  result.num_tokens = sum_over_data(num_tokens);
  for (int64_t i = 0; i < num_samples; ++i) result.loss += losses.data_ptr<double>()[i];
  result.loss /= static_cast<double>(std::max<int64_t>(1, result.num_tokens));
  return result;
}

at::ScalarType compute_type_of(const std::string& precision) {
  if (precision == "fp64") return at::kDouble;
  return precision == "fp32" ? at::kFloat : at::kBFloat16;
}

}  // namespace lmtrain
