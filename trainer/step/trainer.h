// The training step and validation of one rank.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/phase.h"
#include "data/loader.h"
#include "models/model.h"
#include "parallel/gradient_sync.h"
#include "parallel/mesh.h"
#include "trainer/config/config.h"
#include "trainer/step/model_batch.h"
#include "trainer/step/optimizer.h"
#include "trainer/step/step_guard.h"

namespace lmtrain {

// How fast a rank was in its last step.
struct RankSpeed {
  double compute_seconds = 0;  // without waiting for other ranks
  double stolen_share = 0;     // of its machine's CPU time, by the machine's host (steal)
  uint64_t clock_limits = 0;   // what holds its GPU's clocks down (energy/meters/clock_limits.h)
};

// What each rank sends to the others at each step (gather_all). A StepResult holds the sums.
struct RankSignals {
  int64_t stop_requests = 0;   // 1 when this rank was asked to stop
  int64_t due_saves = 0;       // 1 when this rank finds that a save is due, which rank 0 alone does
  int64_t due_pauses = 0;      // 1 when this rank finds that the run is to pause; rank 0 alone does
  int64_t new_series = 0;      // 1 when this rank, 0, finds the grid's intensities written anew
  int64_t finished_saves = 0;  // 1 when this rank's part of a save beside training is done
  double watts = 0;            // power read from the sensors that this rank owns
  double joules = 0;           // energy since the start of this attempt
  double grams = 0;            // gCO2e of that energy
  double seconds = 0;          // since the start of this attempt; of rank 0 alone
  double reserve_seconds = 0;  // that its last validation and save take; of rank 0 alone
  RankSpeed speed;             // in the step before
};

// Counts of what a batch trains on.
struct BatchCounts {
  int64_t tokens = 0;  // without padding
  // What is predicted: all tokens for a decoder, the masked ones for bert, the labels of labelled
  // texts.
  int64_t targets = 0;
  int64_t sentences = 0;  // pairs of segments
  double weights = 0;     // sum of the targets' weights, all of which are 1 but for labels
};

// The result of one step, the same on every rank.
struct StepResult {
  double loss = 0;           // mean over the targets of the global batch by their weights, in nats
  double sentence_loss = 0;  // mean over the pairs of segments of the global batch, if any
  double gradient_norm = 0;  // before clipping
  double lr = 0;
  BatchCounts counts;      // counts of the global batch
  uint64_t data_hash = 0;  // hash of the global batch's samples, in order
  RankSignals signals;     // sums over all ranks, but for `speed`
};

// Means over the evaluated targets or pairs. Only bert has the last three.
struct EvaluationResult {
  double loss = 0;  // in nats
  BatchCounts counts;
  double accuracy = 0;  // share of masked tokens for which the most likely token is the true one
  double sentence_loss = 0;
  double sentence_accuracy = 0;
};

// What one sample gave in an evaluation.
struct EvaluatedSample {
  int64_t place = 0;  // see Batch::sample_places
  double loss = 0;    // sum over its targets by their weights, in nats
  int64_t targets = 0;
  std::vector<double> predictions;  // of labelled texts (trainer/step/label_predictions.h)
};

class Trainer {
 public:
  // config.model.vocab_size must be resolved. All arguments must outlive the trainer.
  Trainer(const Config& config, Mesh& mesh, at::Device device, int64_t num_vocabulary_tokens,
          PhaseTracker& phases);

  // Does one optimizer step; `step` counts from 0. judgement() tells whether it has updated
  // anything. Throws CollectiveError with ExitCode::kNumeric, before anything is updated, where
  // loss or gradients are wrong and patience is at its end, or where the step computed twice
  // differs (train.replay_every). `schedule_step` is that of the learning rate, if not `step`
  // itself.
  StepResult train_step(const Loader& loader, int64_t step, const RankSignals& signals,
                        std::optional<double> schedule_step = std::nullopt);

  const StepJudgement& judgement() const { return judgement_; }  // of the last step

  // What each rank said of its speed in the last step.
  const std::vector<RankSpeed>& speeds() const { return speeds_; }

  // Returns the learning rates of that step.
  Rate rate_of(double step) const;

  // What checkpoints keep beside tensors.
  const GuardState& guard() const { return guard_.state(); }
  void set_guard(const GuardState& state) { guard_.set_state(state); }
  // The optimizer's state began to grow at this step, and its updates count from there.
  int64_t optimizer_began() const { return optimizer_began_; }
  void set_optimizer_began(int64_t step) { optimizer_began_ = step; }

  // Evaluates the first `num_samples` samples of `loader`, divided among the ranks. Collective.
  // Every rank gets the result, and the samples where it asks for them. `pause` is called before
  // each micro-batch, equally often on every rank, and may throw.
  EvaluationResult evaluate(const Loader& loader, int64_t num_samples,
                            std::vector<EvaluatedSample>* samples = nullptr,
                            const std::function<void()>& pause = {});

  ParameterStore& store() { return store_; }
  const Model& model() const { return *model_; }
  const Optimizer& optimizer() const { return *optimizer_; }

 private:
  // What one global sample contributes to the step's results (gather_all).
  struct SampleResult {
    double loss = 0;
    double sentence_loss = 0;
    uint64_t hash = 0;
  };

  ModelBatch on_device(const Batch& batch, DropoutContext dropout) const;
  // Forward and backward of all micro-batches, and the sums of the gradients over the ranks.
  std::vector<SampleResult> compute_gradients(const std::vector<Batch>& batches, int64_t step,
                                              const LossScales& scales);
  void forward_backward(const Batch& batch, int64_t step, const LossScales& scales, bool is_last,
                        std::vector<SampleResult>& results);
  void combine(const std::vector<SampleResult>& mine, const RankSignals& signals,
               StepResult& result);
  BatchCounts sum_over_data(const BatchCounts& mine);

  const Config& config_;
  Mesh& mesh_;
  PhaseTracker& phases_;
  ParameterStore store_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientSync gradient_sync_;
  StepGuard guard_;
  StepJudgement judgement_;
  int64_t optimizer_began_ = 0;
  std::vector<RankSpeed> speeds_;
};

}  // namespace lmtrain
