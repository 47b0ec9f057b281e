#include "trainer/run/run_ending.h"

#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

// Defect: a rank that hung is let go by mpirun, which ends the job, and its request to stop is
// recorded as the end.
TEST(RunEnding, TheFirstOfAnAttemptStays) {
  const TemporaryFolder folder;
  const RunFolder run{folder / "run"};
  std::filesystem::create_directories(run.path);
  write_ending(run, ExitCode::kHang, "rank 1 has said nothing", 0);
  write_ending(run, ExitCode::kStopped, "stopped on request", 0);
  ASSERT_TRUE(load_ending(run).has_value());
  EXPECT_EQ(load_ending(run)->code, ExitCode::kHang);
  EXPECT_EQ(load_ending(run)->reason, "rank 1 has said nothing");
  std::filesystem::remove(run.ending());  // as the next attempt does
  write_ending(run, ExitCode::kDone, "finished", 0);
  EXPECT_EQ(load_ending(run)->code, ExitCode::kDone);
}

}  // namespace
}  // namespace lmtrain
