#include "trainer/run/save_schedule.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: another formula than Young's: for a save of 2 s and 1 h between failures 120 s.
TEST(SaveSchedule, FollowsYoung) {
  EXPECT_DOUBLE_EQ(best_save_interval(2, 2, 3600), 120);
  EXPECT_DOUBLE_EQ(best_save_interval(0.5, 500, 3600), 500);  // saves do not overlap
}

// Defect: a fixed interval that the clock changes, or none at all that saves.
TEST(SaveSchedule, AFixedIntervalCountsSteps) {
  CheckpointConfig config;
  config.interval = 4;
  const SaveSchedule schedule(config, 0.0);
  EXPECT_FALSE(schedule.is_due_by_time());
  for (int64_t done = 0; done < 20; ++done)
    EXPECT_EQ(schedule.is_due(done, /*is_due_by_time=*/true), done > 0 && done % 4 == 0) << done;
  config.interval = 0;
  EXPECT_FALSE(schedule.is_due(4, true));
}

// Defect: auto that does not follow what a save takes, or counts from the end of a save.
TEST(SaveSchedule, AutoFollowsTheMeasuredTime) {
  CheckpointConfig config;
  config.interval.reset();
  config.mtbf_hours = 1.0;
  SaveSchedule schedule(config, 8.0);
  EXPECT_DOUBLE_EQ(schedule.interval_seconds(), 240);
  EXPECT_FALSE(schedule.is_due_by_time());
  schedule.takes({.step = 1, .persist_seconds = 1e-9, .work_seconds = 1e-9});
  EXPECT_LT(schedule.interval_seconds(), 0.01);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(schedule.is_due_by_time());
  EXPECT_TRUE(schedule.is_due(7, true));
  EXPECT_FALSE(schedule.is_due(7, false));
  schedule.begins();
  schedule.takes({.step = 2, .persist_seconds = 3600, .work_seconds = 1});
  EXPECT_FALSE(schedule.is_due_by_time());
}

}  // namespace
}  // namespace lmtrain
