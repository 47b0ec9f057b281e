// Decides what becomes of a step whose numbers are wrong: whether its update is made, left out, or
// answered by going back to a checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "trainer/config/config.h"

namespace lmtrain {

// Exponential averages of a number and of its squared deviation from them.
struct RunningMoments {
  int64_t count = 0;
  double mean = 0;
  double variance = 0;

  // `deviation` is the least standard deviation that counts.
  double z_score(double value, double deviation) const;
  void add(double value, int64_t window);
};

// What the guard knows of the steps before. Checkpoints keep it, so that a run that goes on decides
// as one that was never stopped.
struct GuardState {
  int64_t nonfinite_in_a_row = 0;
  int64_t num_roll_backs = 0;
  // Global batches that roll-backs have passed over: step i reads batch i + passed_batches.
  int64_t passed_batches = 0;
  RunningMoments loss;
  RunningMoments log_gradient_norm;
};

enum class Verdict {
  kUpdate,
  kSkip,
  kRollBack,
};

struct StepJudgement {
  Verdict verdict = Verdict::kUpdate;
  std::string reason;     // empty where nothing is unusual
  bool is_spike = false;  // of the loss or the gradient norm
};

class StepGuard {
 public:
  explicit StepGuard(const TrainConfig& config) : config_(config) {}

  // Judges a step by its loss and its gradient norm, which are the same on all ranks, as then the
  // judgement is. `step` counts from 0. Throws CollectiveError with ExitCode::kNumeric where
  // patience is at its end: nothing of the step has been updated then.
  StepJudgement judge(int64_t step, double loss, double gradient_norm);

  const GuardState& state() const { return state_; }
  void set_state(const GuardState& state) { state_ = state; }

 private:
  StepJudgement judge_nonfinite(int64_t step, double loss, double gradient_norm);
  std::optional<std::string> spike(double loss, double log_norm) const;

  const TrainConfig& config_;
  GuardState state_;
};

}  // namespace lmtrain
