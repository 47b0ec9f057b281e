#include "trainer/run/pauses.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

class PausesOfARun : public testing::Test {
 protected:
  void write(const std::string& rows) {
    std::ofstream(file_) << "time,g_per_kwh\n" << rows;
    std::filesystem::last_write_time(
        file_, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++num_writes_));
  }
  EnergyConfig config(double pause_above, std::optional<double> max_delay = std::nullopt) const {
    EnergyConfig energy;
    energy.schedule.intensity = file_.string();
    energy.schedule.pause_above = pause_above;
    energy.schedule.max_delay = max_delay;
    return energy;
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "series.csv";
  int num_writes_ = 0;
  const double begin_ = *parse_time("2026-01-31T00:00Z");
};

// Defect: a clean hour paused in, or a dirty one worked in; a wrong hour named for the next start.
TEST_F(PausesOfARun, AreDueInHoursAboveTheLimit) {
  write("2026-01-31T00:00Z,400\n2026-01-31T01:00Z,300\n2026-01-31T02:00Z,301\n");
  Pauses pauses(config(300), 0);
  EXPECT_TRUE(pauses.is_due(begin_));
  EXPECT_NE(pauses.reason(begin_).find("400 gCO2e/kWh"), std::string::npos);
  EXPECT_EQ(pauses.next_start(begin_ + 60), begin_ + 3600);
  EXPECT_FALSE(pauses.is_due(begin_ + 3600));
  EXPECT_TRUE(pauses.is_due(begin_ + 7200));
  EXPECT_EQ(pauses.next_start(begin_ + 7200), begin_ + 3 * 3600);
  EXPECT_FALSE(pauses.is_due(begin_ + 4 * 3600));  // nothing is known of it
  EXPECT_FALSE(pauses.is_due(begin_ - 60));
}

// Defect: a run that never ends since its grid never is clean.
TEST_F(PausesOfARun, EndWithTheLongestDelayOfTheWholeRun) {
  write("2026-01-31T00:00Z,400\n2026-01-31T01:00Z,400\n");
  Pauses pauses(config(300, 1000.0), 400);
  EXPECT_TRUE(pauses.is_due(begin_));
  EXPECT_EQ(pauses.next_start(begin_), begin_ + 600);
  pauses.add(600);
  EXPECT_FALSE(pauses.is_due(begin_ + 600));
  EXPECT_FALSE(Pauses(config(300, 1000.0), 1000).is_due(begin_));
}

// Defect: a forecast that was renewed not read, or one that is damaged while the run trains ends
// it.
TEST_F(PausesOfARun, FollowTheFile) {
  write("2026-01-31T00:00Z,400\n");
  Pauses pauses(config(300), 0);
  EXPECT_TRUE(pauses.is_due(begin_));
  write("2026-01-31T00:00Z,200\n");
  EXPECT_FALSE(pauses.is_due(begin_ + 2));
  write("noon,200\n");
  EXPECT_FALSE(pauses.is_due(begin_ + 4));
  write("2026-01-31T00:00Z,500\n");
  EXPECT_TRUE(pauses.is_due(begin_ + 6));
}

TEST_F(PausesOfARun, NeedAFileThatCanBeRead) {
  EXPECT_THROW(Pauses(config(300), 0), ConfigError);
  write("noon,200\n");
  EXPECT_THROW(Pauses(config(300), 0), ConfigError);
  EXPECT_FALSE(Pauses(EnergyConfig{}, 0).is_due(begin_));
}

}  // namespace
}  // namespace lmtrain
