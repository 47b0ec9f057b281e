#include "trainer/run/run_evaluation.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/run/run_records.h"
#include "trainer/run/stop_request.h"
#include "trainer/run/training_loop.h"

namespace lmtrain {
namespace {

void leave_where_asked() {
  if (stop_is_requested()) throw Error(ExitCode::kStopped, "stopped");
}

}  // namespace

void RunEvaluation::validate(int64_t step) {
  const double begin = monotonic_seconds();
  const RunData& data = job_.data;
  if (data.num_validation_samples == 0) return;
  const Predicted predicted = !predicts_text(config_.task) ? Predicted::kLabels
                              : config_.model.traits().predicts_next_token()
                                  ? Predicted::kNextTokens
                                  : Predicted::kMaskedTokens;
  std::vector<EvaluatedSample> samples;
  const EvaluationResult result =
      trainer_.evaluate(*data.validation, data.num_validation_samples, &samples, pause_);
  if (predicted == Predicted::kNextTokens && validation_bytes_ == 0)
    validation_bytes_ = count_validation_bytes(data);
  ValidationMetrics metrics = validation_metrics(result, predicted, validation_bytes_);
  metrics.by_source = losses_by_source(samples, data.validation_sources);
  validation_seconds_ = monotonic_seconds() - begin;
  metrics.validation_seconds = validation_seconds_;
  recorder_.validation(step, metrics);
  if (!predicts_text(config_.task)) evaluate_labels(step, samples);
  note_patience();
}

// Rank 0 has the report.
void RunEvaluation::evaluate_labels(int64_t step, const std::vector<EvaluatedSample>& samples) {
  const RunData& data = job_.data;
  launch_.first_works([&] {
    if (!labels_) labels_.emplace(config_, *data.labelled);
    const LabelEvaluation evaluation = labels_->evaluate(samples);
    recorder_.task(step, evaluation.metrics);
    RunFacts& facts = recorder_.facts();
    facts.confusion = evaluation.confusion;
    facts.samples.clear();
    const auto count = std::min<size_t>(samples.size(), static_cast<size_t>(config_.eval.samples));
    for (size_t i = 0; i < count; ++i)
      facts.samples.push_back(shown_prediction(config_, *data.labelled, samples[i]));
  });
}

// Where the model is cut, all ranks compute it together; else rank 0 does alone. `work` calls its
// second argument now and then.
void RunEvaluation::with_model(const ModelWork& work) {
  const bool is_cut = groups_.mesh.tensor().size() > 1 || trainer_.store().shards_weights();
  if (is_cut) {
    work(&launch_.world(), pause_);
  } else {
    launch_.first_works([&] { work(nullptr, leave_where_asked); });
  }
}

void RunEvaluation::evaluate_tasks(int64_t step) {
  const PhaseScope scope(phases_, Phase::kEvaluation);
  for (const TaskConfig& task : config_.eval.tasks) {
    if (recorder_.has_evaluated(task.shown_name(), step)) continue;
    with_model([&](Communicator* ranks, const std::function<void()>& pause) {
      recorder_.task(step, evaluate_on(task, trainer_.model(), job_, ranks, pause));
    });
  }
}

void RunEvaluation::write_samples(RunFacts& facts) {
  if (!predicts_text(config_.task)) return;  // validations leave theirs
  if (launch_.rank() == 0 && config_.eval.samples > 0)
    log_info(cat("writing ", counted(config_.eval.samples, "sample"), " (eval.samples)"));
  with_model([&](Communicator* ranks, const std::function<void()>& pause) {
    const PhaseScope scope(phases_, Phase::kSamples);
    facts.samples = sample_texts(trainer_.model(), job_.data, config_, job_.compute.device.device,
                                 ranks, pause);
  });
  if (job_.data.labelled) return;
  launch_.first_works([&] {
    const PhaseScope scope(phases_, Phase::kEvaluation);
    add_baseline(facts, job_.data, config_.model.traits().objective, leave_where_asked);
  });
}

void RunEvaluation::note_patience() {
  const int64_t patience = config_.eval.patience;
  if (patience == 0) return;
  const auto best = recorder_.best_validation();
  has_lost_patience_ = launch_.any(best && best->num_since >= patience);
}

}  // namespace lmtrain
