#include "energy/plan/pause_simulation.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/clock.h"

namespace lmtrain {
namespace {

constexpr double kHour = 3600.0;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// Four hours: 400, 100, 400, 100 g/kWh.
IntensitySeries series() {
  return IntensitySeries::parse(
      "time,g_per_kwh\n2026-01-31T00:00Z,400\n2026-01-31T01:00Z,100\n2026-01-31T02:00Z,400\n"
      "2026-01-31T03:00Z,100\n",
      "s");
}

PausingRun two_hours_of_work() {
  PausingRun run;
  run.begins = *parse_time("2026-01-31T00:00Z");
  run.work_seconds = 2 * kHour;
  run.watts = 1000;
  run.idle_watts = 200;
  run.pue = 1.5;
  run.otherwise_g_per_kwh = 1000;
  run.embodied_g_per_second = 1.0 / kHour;
  return run;
}

// Each by hand: 1 kWh an hour at work, PUE 1.5.
TEST(Pauses, WithoutAnyTheRunTakesTheHoursAsTheyCome) {
  const PausedRun run =
      simulate_pauses(series(), two_hours_of_work(), kNoLimit, kNoLimit, PauseMode::kWait);
  EXPECT_EQ(run.num_pauses, 0);
  EXPECT_DOUBLE_EQ(run.kwh, 2.0);
  EXPECT_DOUBLE_EQ(run.grams, 1.5 * (400 + 100));
  EXPECT_DOUBLE_EQ(run.embodied_grams, 2.0);
}

// Defect: idle energy or the hardware's time left out while the run waits with its machines.
TEST(Pauses, WaitingCostsIdleEnergyAndTheHardwaresTime) {
  const PausedRun run =
      simulate_pauses(series(), two_hours_of_work(), 300, kNoLimit, PauseMode::kWait);
  EXPECT_EQ(run.num_pauses, 2);
  EXPECT_DOUBLE_EQ(run.paused_seconds, 2 * kHour);
  EXPECT_DOUBLE_EQ(run.kwh, 2.0 + 2 * 0.2);
  EXPECT_DOUBLE_EQ(run.grams, 1.5 * (2 * 100 + 2 * 0.2 * 400));
  EXPECT_DOUBLE_EQ(run.embodied_grams, 4.0);
  EXPECT_DOUBLE_EQ(run.ends, two_hours_of_work().begins + 4 * kHour);
}

// Defect: machines that were given back counted, or the start afterwards and the save before left
// out.
TEST(Pauses, StoppingCostsASaveAndAStart) {
  PausingRun run = two_hours_of_work();
  run.save_seconds = 36;
  run.start_seconds = 72;
  const PausedRun stopped = simulate_pauses(series(), run, 300, kNoLimit, PauseMode::kStop);
  EXPECT_EQ(stopped.num_pauses, 2);
  // The first pause comes before anything is there to save; the second after an hour of work. The
  // start takes 72 s of the last clean hour, and the 72 s of work that it displaces fall behind the
  // series, at 1000 g.
  EXPECT_NEAR(stopped.kwh, 2.0 + 0.01 + 0.02, 1e-9);
  EXPECT_NEAR(stopped.grams, 1.5 * (100 + 0.01 * 400 + 0.02 * 100 + 0.98 * 100 + 0.02 * 1000),
              1e-6);
  EXPECT_NEAR(stopped.embodied_grams, 2.03, 1e-9);
}

// Defect: a run that waits for ever.
TEST(Pauses, EndWithTheLongestDelay) {
  const PausedRun run =
      simulate_pauses(series(), two_hours_of_work(), 50, 1.5 * kHour, PauseMode::kWait);
  EXPECT_DOUBLE_EQ(run.paused_seconds, 1.5 * kHour);
  EXPECT_DOUBLE_EQ(run.ends, two_hours_of_work().begins + 3.5 * kHour);
  EXPECT_DOUBLE_EQ(run.grams, 1.5 * (0.2 * 400 + 0.5 * 0.2 * 100 + 0.5 * 100 + 400 + 0.5 * 100));
}

}  // namespace
}  // namespace lmtrain
