#include "trainer/planning/goodput.h"

#include <random>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Plays failures out: the share of time in steps that count.
double simulated(const FailureModel& model, double interval) {
  std::mt19937_64 random(3);
  std::exponential_distribution<double> failure(1.0 / model.mtbf);
  double all = 0;
  double useful = 0;
  for (int cycle = 0; cycle < 20000; ++cycle) {
    const double end = failure(random);
    double time = 0;
    while (true) {
      const double save = time + interval;  // begins here, counts `persist` later
      if (save + model.persist > end) break;
      useful += interval;
      time = save + model.stall;
    }
    all += end + model.detect + model.restart;
  }
  return useful / all;
}

// Defect: a formula that promises more than comes of it.
TEST(Goodput, IsWhatASimulationGives) {
  for (const double hours : {3.09, 7.9, 24.0}) {
    for (const FailureModel& model :
         {FailureModel{0, 0.59, 51, 600, 429}, FailureModel{0, 0.1, 30, 30, 180},
          FailureModel{0, 3.2, 40, 34, 60}}) {
      FailureModel job = model;
      job.mtbf = 3600 * hours;
      const Goodput goodput = expected_goodput(job, 300);
      EXPECT_NEAR(goodput.useful, simulated(job, 300), 0.004) << hours;
      EXPECT_NEAR(goodput.useful + goodput.stalled + goodput.repeated + goodput.restarting, 1,
                  1e-12);
    }
  }
  // Llama 3's failures with the times of ByteCheckpoint: 89.6% by a Monte Carlo of others.
  EXPECT_NEAR(expected_goodput({3600 * 3.09, 0.59, 51, 600, 429}, 300).useful, 0.896, 0.003);
}

// Defect: failures that come faster than saves give a share below 0.
TEST(Goodput, IsNeverBelowZero) {
  const Goodput goodput = expected_goodput({10, 1, 100, 5, 5}, 1000);
  EXPECT_EQ(goodput.useful, 0);
  EXPECT_GE(goodput.repeated, 0);
}

}  // namespace
}  // namespace lmtrain
