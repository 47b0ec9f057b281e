#include "parallel/watchdog.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "base/phase.h"
#include "tests/mpi/mpi_main.h"

namespace lmtrain {
namespace {

constexpr double kLeast = 1.5;

class WatchdogTest : public testing::Test {
 protected:
  void SetUp() override {
    if (mpi_launch().size() < 2) GTEST_SKIP() << "tests/run/watchdog_test.sh tries one rank";
  }
  // Calls `work` every 50 ms for so many seconds, or until something was found here.
  template <class Work>
  std::string watch_for(double seconds, const Work& work) {
    mpi_launch().world().barrier();  // a rank may still print what another test found
    Watchdog watchdog(MPI_COMM_WORLD, "host", activity_, [this](const std::string& finding) {
      const std::lock_guard lock(mutex_);
      if (found_.empty()) found_ = finding;
    });
    watchdog.set_options({kLeast, 1000});
    const double end = monotonic_seconds() + seconds;
    while (monotonic_seconds() < end && found().empty()) {
      work();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    mpi_launch().world().barrier();
    return found();
  }
  std::string found() {
    const std::lock_guard lock(mutex_);
    return found_;
  }
  static bool is_last() { return mpi_launch().rank() == mpi_launch().size() - 1; }

  RankActivity activity_;
  std::mutex mutex_;
  std::string found_;
};

// Defect: ranks that get on are ended.
TEST_F(WatchdogTest, LeavesRanksAloneThatGetOn) {
  EXPECT_EQ(watch_for(3 * kLeast, [&] { activity_.note_progress(); }), "");
}

// Defect: the one that does not come is not found, or those that wait for it are blamed.
TEST_F(WatchdogTest, NamesTheRankThatNeverCame) {
  int64_t number = 0;
  const std::string found = watch_for(5 * kLeast, [&] {
    if (is_last()) return;
    if (number == 0)
      activity_.operation_begins(RankActivity::Lane::kTraining,
                                 {OperationKind::kAllReduce, "data", 4096, ++number});
  });
  if (mpi_launch().rank() != 0) return;
  EXPECT_EQ(
      found.find("rank " + std::to_string(mpi_launch().size() - 1) + " has made no progress for"),
      0U)
      << found;
  EXPECT_NE(
      found.find("rank 0 on host, step 0, startup: in all_reduce 1 on axis data (4.0 KiB) for"),
      std::string::npos)
      << found;
}

// Defect: ranks that wait for a slow one, which works, are ended.
TEST_F(WatchdogTest, WaitsForARankThatWorks) {
  bool has_begun = false;
  EXPECT_EQ(watch_for(4 * kLeast,
                      [&] {
                        if (is_last()) return activity_.note_progress();
                        if (!has_begun)
                          activity_.operation_begins(RankActivity::Lane::kTraining,
                                                     {OperationKind::kBarrier, "world", 0, 1});
                        has_begun = true;
                      }),
            "");
}

// Defect: ranks that all wait, each in another operation, wait for ever.
TEST_F(WatchdogTest, FindsRanksThatWaitForEachOther) {
  bool has_begun = false;
  const std::string found = watch_for(5 * kLeast, [&] {
    if (!has_begun)
      activity_.operation_begins(RankActivity::Lane::kTraining,
                                 {OperationKind::kBarrier, "world", 0, 1 + mpi_launch().rank()});
    has_begun = true;
  });
  if (mpi_launch().rank() == 0) {
    EXPECT_NE(found.find("all ranks wait for each other"), std::string::npos) << found;
  }
}

}  // namespace
}  // namespace lmtrain
