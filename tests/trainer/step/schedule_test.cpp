#include "trainer/step/schedule.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

constexpr auto kAllKinds = {ScheduleKind::kCosine, ScheduleKind::kLinear,
                            ScheduleKind::kConstantThenDecay};

ScheduleConfig schedule(ScheduleKind kind) {
  ScheduleConfig s;
  s.kind = kind;
  s.warmup_steps = 10;
  s.min_lr_ratio = 0.1;
  s.decay_fraction = 0.2;
  return s;
}

// Defect: a warm-up that begins at zero (a wasted step), or a jump where it ends.
TEST(Schedule, WarmsUpInEqualSteps) {
  for (const ScheduleKind kind : kAllKinds) {
    for (int64_t step = 0; step < 10; ++step) {
      EXPECT_NEAR(learning_rate(schedule(kind), 2.0, 100, step),
                  0.2 * static_cast<double>(step + 1), 1e-12)
          << kind;
    }
    EXPECT_NEAR(learning_rate(schedule(kind), 2.0, 100, 10), 2.0, 0.03) << kind;
  }
}

// Defect: a share that is rounded down, so that a short run has no warm-up, or the steps counted
// although there is a share.
TEST(Schedule, WarmsUpForAShareOfTheRun) {
  for (const ScheduleKind kind : kAllKinds) {
    ScheduleConfig of_steps = schedule(kind);
    of_steps.warmup_steps = 7;
    ScheduleConfig of_share = schedule(kind);
    of_share.warmup_ratio = 0.061;
    EXPECT_EQ(warmup_of(of_share, 100), 7);
    for (int64_t step = 0; step < 100; ++step) {
      EXPECT_EQ(learning_rate(of_share, 2.0, 100, static_cast<double>(step)),
                learning_rate(of_steps, 2.0, 100, static_cast<double>(step)))
          << kind << " " << step;
    }
  }
}

// Defect: the last step is not at the lowest rate, or a shape is another's.
TEST(Schedule, EndsAtTheLowestRate) {
  for (const ScheduleKind kind : kAllKinds) {
    EXPECT_NEAR(learning_rate(schedule(kind), 2.0, 100, 99), 0.2, 1e-12) << kind;
    double before = 3.0;
    for (int64_t step = 10; step < 100; ++step) {
      const double lr = learning_rate(schedule(kind), 2.0, 100, step);
      EXPECT_LE(lr, before) << kind << " " << step;
      before = lr;
    }
  }
}

// Defect: one shape under another's name, or a cosine that is a line.
TEST(Schedule, TheHalfwayPointTellsTheShapes) {
  const auto halfway = [](ScheduleKind kind) {
    ScheduleConfig s = schedule(kind);
    s.warmup_steps = 0;
    return learning_rate(s, 1.0, 101, 50);
  };
  EXPECT_NEAR(halfway(ScheduleKind::kCosine), 0.55, 0.01);
  EXPECT_NEAR(halfway(ScheduleKind::kLinear), 0.55, 0.01);
  EXPECT_DOUBLE_EQ(halfway(ScheduleKind::kConstantThenDecay), 1.0);
  ScheduleConfig cosine = schedule(ScheduleKind::kCosine);
  cosine.warmup_steps = 0;
  const double quarter = learning_rate(cosine, 1.0, 101, 25);
  EXPECT_NEAR(quarter, 0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi / 4)), 0.01);
}

}  // namespace
}  // namespace lmtrain
