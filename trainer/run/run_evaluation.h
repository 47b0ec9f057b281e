// What a run finds out about its model between steps and at its end: validations, tasks, samples;
// and whether validations have stopped getting better (eval.patience).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/phase.h"
#include "energy/report/run_facts.h"
#include "parallel/launch.h"
#include "trainer/run/label_evaluation.h"
#include "trainer/run/run_recorder.h"
#include "trainer/start/job.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

struct TrainingGroups;

class RunEvaluation {
 public:
  // Collective `pause` is called now and then, and throws where the run is to stop; work of rank 0
  // alone is left by an Error with ExitCode::kStopped. The rest outlives this.
  RunEvaluation(const Job& job, TrainingGroups& groups, Trainer& trainer, RunRecorder& recorder,
                PhaseTracker& phases, Launch& launch, std::function<void()> pause)
      : job_(job),
        config_(job.config()),
        groups_(groups),
        trainer_(trainer),
        recorder_(recorder),
        phases_(phases),
        launch_(launch),
        pause_(std::move(pause)) {}

  // All are collective, and write down what comes of them.
  void validate(int64_t step);
  void evaluate_tasks(int64_t step);
  // Of a model that writes text: samples, and of running text the baseline to hold the validation
  // against.
  void write_samples(RunFacts& facts);
  // To be called once before the first step, for validations of earlier attempts.
  void note_patience();

  bool has_lost_patience() const { return has_lost_patience_; }      // the same on all ranks
  double validation_seconds() const { return validation_seconds_; }  // of the last one

 private:
  using ModelWork = std::function<void(Communicator* ranks, const std::function<void()>& pause)>;
  void with_model(const ModelWork& work);
  void evaluate_labels(int64_t step, const std::vector<EvaluatedSample>& samples);

  const Job& job_;
  const Config& config_;
  TrainingGroups& groups_;
  Trainer& trainer_;
  RunRecorder& recorder_;
  PhaseTracker& phases_;
  Launch& launch_;
  std::function<void()> pause_;
  std::optional<LabelEvaluator> labels_;  // on rank 0, of labelled texts
  int64_t validation_bytes_ = 0;          // counted at the first validation
  double validation_seconds_ = 0;
  bool has_lost_patience_ = false;
};

}  // namespace lmtrain
