#include "energy/report/batch_energy.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

using Joules = std::map<std::string, double>;

AttemptEnergy attempt_in(const std::string& job, double joules) {
  AttemptEnergy attempt;
  attempt.energy = {joules, joules, joules};
  if (!job.empty()) {
    attempt.job.emplace();
    attempt.job->id = job;
  }
  return attempt;
}

// Defect: the energy of a node counted once for the batch script and again for the step in it, or
// that of the attempt before a requeue left out.
TEST(BatchEnergy, CountsStepsOnceAndAllRunsOfARequeuedJob) {
  EXPECT_EQ(parse_sacct("12|5000\n12.batch|2600\n12.extern|2600\n12.0|2400\n12.1|100\n12.0|700\n"),
            (Joules{{"12", 3200}}));
  EXPECT_EQ(parse_sacct("13|900\n13.batch|800\n13.batch|50\r\n"), (Joules{{"13", 850}}));
  EXPECT_EQ(parse_sacct("14_3|70|\n"), (Joules{{"14_3", 70}}));
}

// Defect: a Slurm without meters, whose zeros are taken for energy.
TEST(BatchEnergy, ZeroMeansThatNothingIsMeasured) {
  EXPECT_EQ(parse_sacct("12|0\n12.batch|\n12.0|0\n\n"), Joules{});
}

TEST(BatchEnergy, RefusesOtherTables) {
  for (const char* text :
       {"JobID|ConsumedEnergyRaw", "12 500", "12|5K", "12|-5", "12|1e99", "12|nan", "|5"}) {
    EXPECT_THROW(parse_sacct(text), DataError) << text;
  }
}

// Defect: one job's figure set beside the energy of all attempts.
TEST(BatchEnergy, ComparesJobsWithTheirAttempts) {
  const std::vector<BatchEnergy> compared = compare_with_batch(
      {{"7", 1000}, {"8", 50}},
      {attempt_in("7", 400), attempt_in("", 10), attempt_in("7", 500), attempt_in("9", 3)});
  ASSERT_EQ(compared.size(), 1U);
  EXPECT_EQ(compared[0].job, "7");
  EXPECT_EQ(compared[0].system_joules, 1000);
  EXPECT_EQ(compared[0].joules, 900);
  EXPECT_EQ(compared[0].attempts, 2);
}

}  // namespace
}  // namespace lmtrain
