#include "trainer/run/budget.h"

#include <cmath>

#include <gtest/gtest.h>

#include "trainer/step/schedule.h"

namespace lmtrain {
namespace {

constexpr double kKwh = 3.6e6;  // J

Budget::Beginning beginning(int64_t steps, int64_t done = 0, double spent_kwh = 0) {
  return {.spent = {.facility_joules = spent_kwh * kKwh},
          .done = done,
          .schedule_step = static_cast<double>(done),
          .steps = steps};
}

EnergyConfig limited_to(double kwh) {
  EnergyConfig config;
  config.budget.kwh = kwh;
  return config;
}

// Runs until the budget or the steps end, each step at `kwh_of(step)`; meters are read every tenth
// step.
struct Spent {
  int64_t done = 0;
  double kwh = 0;
  double last_rate = 0;
  double largest_fall = 0;  // of the rate in one step
};

template <class Cost>
Spent run_within(Budget& budget, int64_t steps, const Cost& kwh_of, double seconds_of_step = 0.1) {
  ScheduleConfig schedule;
  schedule.warmup_steps = 10;
  schedule.min_lr_ratio = 0.1;
  Spent run;
  double metered = 0;
  double before = 1;
  for (; run.done < steps && !budget.is_spent();) {
    run.last_rate = learning_rate(schedule, 1.0, steps, budget.schedule_step());
    if (run.done > 12) run.largest_fall = std::max(run.largest_fall, before - run.last_rate);
    before = run.last_rate;
    run.kwh += kwh_of(run.done);
    ++run.done;
    if (run.done % 10 == 0) metered = run.kwh;
    budget.note(run.done,
                {.facility_joules = metered * kKwh,
                 .seconds = seconds_of_step * static_cast<double>(run.done)},
                1.0);
  }
  return run;
}

// Defect: a run without a budget whose learning rate is not that of its steps, to the bit.
TEST(Budget, ChangesNothingWhereNoneIsSet) {
  Budget budget(EnergyConfig{}, beginning(1000));
  for (int64_t done = 1; done < 1000; ++done) {
    budget.note(done, {.facility_joules = 1e9 * static_cast<double>(done), .seconds = 1}, 1.0);
    ASSERT_EQ(budget.schedule_step(), static_cast<double>(done));
    ASSERT_FALSE(budget.is_spent());
  }
  EXPECT_FALSE(budget.is_limited());
}

TEST(Budget, ChangesNothingWhereItIsEnough) {
  Budget budget(limited_to(100), beginning(1000));
  const Spent run = run_within(budget, 1000, [](int64_t) { return 0.01; });
  EXPECT_EQ(run.done, 1000);
  EXPECT_EQ(budget.schedule_step(), 1000.0);
}

// Defect: the budget ends while the learning rate is still high, is overrun, or much of it is left.
TEST(Budget, LandsTheDecayOnItsEnd) {
  for (const double limit : {2.0, 5.0, 8.0}) {
    Budget budget(limited_to(limit), beginning(1000));
    const Spent run = run_within(budget, 1000, [](int64_t) { return 0.01; });
    EXPECT_TRUE(budget.is_spent()) << limit;
    EXPECT_LE(run.kwh, limit) << limit;
    EXPECT_GE(run.kwh, 0.94 * limit) << limit;
    EXPECT_NEAR(run.last_rate, 0.1, 0.02) << limit;
    EXPECT_LT(run.largest_fall, 0.06) << limit;  // never a cliff
  }
}

// Defect: a machine that becomes dearer in the middle breaks the budget or leaves the rate high.
TEST(Budget, FollowsTheCostOfSteps) {
  Budget budget(limited_to(5), beginning(1000));
  const Spent run =
      run_within(budget, 1000, [](int64_t step) { return step < 200 ? 0.005 : 0.02; });
  EXPECT_LE(run.kwh, 5.0);
  EXPECT_GE(run.kwh, 4.6);
  EXPECT_NEAR(run.last_rate, 0.1, 0.03);
}

// Defect: a resumed run that forgets what was spent, or whose schedule begins anew.
TEST(Budget, GoesOnWithWhatIsLeft) {
  Budget first(limited_to(5), beginning(1000));
  ScheduleConfig schedule;
  for (int64_t done = 1; done <= 200; ++done) {
    first.note(done,
               {.facility_joules = 0.01 * static_cast<double>(done) * kKwh,
                .seconds = static_cast<double>(done)},
               1.0);
  }
  Budget::Beginning later = beginning(1000, 200, 2.0);
  later.schedule_step = first.schedule_step();
  Budget second(limited_to(5), later);
  EXPECT_NEAR(second.share(), 0.4, 1e-9);
  EXPECT_EQ(second.schedule_step(), first.schedule_step());
  double kwh = 2.0;
  int64_t done = 200;
  while (!second.is_spent() && done < 1000) {
    kwh += 0.01;
    ++done;
    second.note(done,
                {.facility_joules = (kwh - 2.0) * kKwh, .seconds = static_cast<double>(done - 200)},
                1.0);
  }
  EXPECT_LE(kwh, 5.0);
  EXPECT_GE(kwh, 4.8);
  EXPECT_NEAR(second.schedule_step(), 1000, 20);
  Budget spent(limited_to(5), beginning(1000, 500, 5.0));
  EXPECT_TRUE(spent.is_spent());
}

// Defect: one of several limits alone, or the one that is far from its end.
TEST(Budget, ObeysTheLimitThatEndsFirst) {
  EnergyConfig config;
  config.budget = {.kwh = 1000, .kgco2e = 0.5, .hours = 1000, .money = 1000};
  config.price_per_kwh = 0.25;
  Budget budget(config, beginning(1000));
  budget.note(1, {.facility_joules = kKwh, .grams = 450, .seconds = 60, .device_seconds = 60}, 0);
  EXPECT_NEAR(budget.share(), 0.9, 1e-12);
  EXPECT_EQ(budget.text(), "energy.budget.kgco2e = 0.5: 0.450 kgCO2e, 90% spent");
  config.budget = {.kwh = std::nullopt, .kgco2e = std::nullopt, .hours = 2, .money = 1};
  config.price_per_device_hour = 10;
  Budget dear(config, beginning(1000));
  dear.note(1, {.facility_joules = kKwh, .seconds = 60, .device_seconds = 120}, 0);
  EXPECT_NEAR(dear.share(), 0.25 + 120.0 / 3600 * 10, 1e-12);
}

}  // namespace
}  // namespace lmtrain
