#include "trainer/run/deadline.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/phase.h"

namespace lmtrain {
namespace {

BatchJob job_that_ends_in(double seconds) {
  BatchJob job;
  job.id = "77";
  job.end_unix_seconds = clock_seconds(CLOCK_REALTIME) + seconds;
  return job;
}

// Defect: a run that takes the later of two ends, or another one than it was given.
TEST(Deadline, IsTheEarlierEnd) {
  RunConfig config;
  EXPECT_FALSE(Deadline::end_of(config, std::nullopt));
  EXPECT_FALSE(Deadline::end_of(config, BatchJob()));
  const auto of_job = Deadline::end_of(config, job_that_ends_in(1000));
  ASSERT_TRUE(of_job);
  EXPECT_NEAR(of_job->seconds, monotonic_seconds() + 1000, 1);
  EXPECT_NE(of_job->reason.find("Slurm job 77"), std::string::npos);
  config.stop_after = 500 + process_age_seconds();
  const auto of_config = Deadline::end_of(config, job_that_ends_in(1000));
  ASSERT_TRUE(of_config);
  EXPECT_NEAR(of_config->seconds, monotonic_seconds() + 500, 1);
  EXPECT_NE(of_config->reason.find("run.stop_after"), std::string::npos);
  EXPECT_NEAR(Deadline::end_of(config, job_that_ends_in(100))->seconds, monotonic_seconds() + 100,
              1);
}

// Defect: a margin in which the save does not fit.
TEST(Deadline, LeavesTimeForAStepAndASave) {
  RunConfig config;
  Deadline deadline(config, job_that_ends_in(100000));
  deadline.expect_save(expected_save_seconds(2e9));  // 20 s at 100 MB/s
  EXPECT_GT(deadline.margin_seconds(), 20);
  deadline.note_save(60);
  deadline.note_save(40);
  deadline.note_step(10);
  deadline.note_step(3);
  EXPECT_GT(deadline.margin_seconds(), 70);
  deadline.expect_save(1e9);  // what is measured counts
  EXPECT_LT(deadline.margin_seconds(), 300);
  config.stop_before_end = 33;
  EXPECT_EQ(Deadline(config, job_that_ends_in(100000)).margin_seconds(), 33);
}

}  // namespace
}  // namespace lmtrain
