#include "trainer/step/step_guard.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Feeds calm steps: a loss around 4 and a norm around 1.
void train_calmly(StepGuard& guard, int64_t steps) {
  for (int64_t step = 0; step < steps; ++step) {
    const double wave = std::sin(static_cast<double>(step));
    EXPECT_EQ(guard.judge(step, 4.0 + 0.1 * wave, 1.0 + 0.1 * wave).verdict, Verdict::kUpdate)
        << step;
  }
}

// Defect: one step that is not finite ends a run, or a run goes on for ever without learning.
TEST(StepGuard, SkipsSoManyNonfiniteStepsInARow) {
  TrainConfig config;
  config.skip_nonfinite = 2;
  StepGuard guard(config);
  EXPECT_EQ(guard.judge(0, kNan, 1.0).verdict, Verdict::kSkip);
  EXPECT_EQ(guard.judge(1, 4.0, HUGE_VAL).verdict, Verdict::kSkip);
  EXPECT_EQ(guard.judge(2, 4.0, 1.0).verdict, Verdict::kUpdate);
  EXPECT_EQ(guard.judge(3, kNan, kNan).verdict, Verdict::kSkip);
  EXPECT_EQ(guard.judge(4, kNan, kNan).verdict, Verdict::kSkip);
  try {
    guard.judge(5, kNan, kNan);
    FAIL() << "a third step in a row is not skipped";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::kNumeric);
    EXPECT_NE(std::string(error.what()).find("step 6"), std::string::npos) << error.what();
  }
}

// Defect: a gradient whose square is infinite in fp32 spoils the optimizer's state for ever.
TEST(StepGuard, SkipsGradientsThatAreTooLargeToBeSquared) {
  TrainConfig config;
  config.clip_grad_norm = 0;
  EXPECT_EQ(StepGuard(config).judge(0, 4.0, 1e26).verdict, Verdict::kSkip);
  config.clip_grad_norm = 1.0;
  EXPECT_EQ(StepGuard(config).judge(0, 4.0, 1e26).verdict, Verdict::kUpdate);
}

// Defect: a spike passes, calm steps count as spikes, or one of a norm alone is not seen.
TEST(StepGuard, FindsSpikes) {
  TrainConfig config;
  config.spikes.policy = SpikePolicy::kSkip;
  for (const bool of_norm : {false, true}) {
    StepGuard guard(config);
    train_calmly(guard, 300);
    const StepJudgement spike = of_norm ? guard.judge(300, 4.0, 30.0) : guard.judge(300, 6.0, 1.0);
    EXPECT_EQ(spike.verdict, Verdict::kSkip);
    EXPECT_NE(spike.reason.find(of_norm ? "gradient norm of 30" : "loss of 6"), std::string::npos)
        << spike.reason;
    EXPECT_EQ(guard.judge(301, 4.0, 1.0).verdict, Verdict::kUpdate);
  }
}

// Defect: a loss that lies higher from some step on is a spike for ever.
TEST(StepGuard, GetsUsedToALastingChange) {
  TrainConfig config;
  config.spikes.policy = SpikePolicy::kSkip;
  StepGuard guard(config);
  train_calmly(guard, 300);
  int64_t skipped = 0;
  for (int64_t step = 300; step < 400; ++step)
    skipped += guard.judge(step, 6.0, 1.0).verdict == Verdict::kSkip ? 1 : 0;
  EXPECT_GT(skipped, 0);
  EXPECT_LT(skipped, 30);
}

// Defect: the steep beginning of a training counts as spikes.
TEST(StepGuard, LeavesAFallingLossAlone) {
  TrainConfig config;
  config.spikes.policy = SpikePolicy::kSkip;
  StepGuard guard(config);
  for (int64_t step = 0; step < 1000; ++step) {
    const double loss = 3.0 + 8.0 * std::exp(-static_cast<double>(step) / 100.0);
    const double norm = 0.5 + 10.0 * std::exp(-static_cast<double>(step) / 20.0);
    EXPECT_EQ(guard.judge(step, loss, norm).verdict, Verdict::kUpdate) << step;
  }
}

// Defect: a run rolls back for ever; a guard that goes on from a checkpoint judges otherwise.
TEST(StepGuard, RollsBackSoOften) {
  TrainConfig config;
  config.spikes.policy = SpikePolicy::kRollBack;
  config.spikes.max_roll_backs = 1;
  StepGuard first(config);
  train_calmly(first, 300);
  StepGuard guard(config);
  guard.set_state(first.state());
  EXPECT_EQ(guard.judge(300, 9.0, 1.0).verdict, Verdict::kRollBack);
  GuardState after = first.state();
  after.num_roll_backs = 1;
  guard.set_state(after);
  EXPECT_THROW(guard.judge(300, 9.0, 1.0), CollectiveError);
}

}  // namespace
}  // namespace lmtrain
