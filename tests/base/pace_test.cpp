#include "base/pace.h"

#include <thread>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/phase.h"

namespace lmtrain {
namespace {

void work_for(double cpu_seconds) {
  const double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + cpu_seconds;
  while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end) continue;
}

// Defect: a thread that takes more of a core than its share.
TEST(Pace, RestsInProportionToTheWork) {
  Pace pace(0.1);
  pace.start();
  work_for(0.01);
  pace.rest();
  EXPECT_GE(pace.rested_seconds(), 0.089);
  const double before = pace.rested_seconds();
  pace.rest();  // nothing was done since
  EXPECT_LT(pace.rested_seconds() - before, 0.05);
}

// Defect: who waits for the thread also waits for its rests.
TEST(Pace, EndsItsRestWhenItIsHurried) {
  Pace pace(1e-4);
  pace.start();
  work_for(0.01);
  std::thread hurries([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pace.hurry();
  });
  const double begin = monotonic_seconds();
  pace.rest();  // of 100 s
  EXPECT_LT(monotonic_seconds() - begin, 20);
  pace.rest();
  hurries.join();
}

TEST(Pace, WithAWholeCoreNeverRests) {
  Pace pace(1.0);
  pace.start();
  work_for(0.01);
  pace.rest();
  EXPECT_EQ(pace.rested_seconds(), 0);
}

}  // namespace
}  // namespace lmtrain
