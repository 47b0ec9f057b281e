#include "base/batch_job.h"

#include <map>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

std::optional<BatchJob> job_of(const std::map<std::string, std::string>& variables) {
  return batch_job([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

// Defect: records that do not say which job of the batch system made them.
TEST(BatchJob, IsWhatSlurmSays) {
  EXPECT_FALSE(job_of({}));
  const auto job = job_of({{"SLURM_JOB_ID", "77"},
                           {"SLURM_RESTART_COUNT", "2"},
                           {"SLURM_JOB_NUM_NODES", "4"},
                           {"SLURM_JOB_NODELIST", "node[01-04]"},
                           {"SLURM_CLUSTER_NAME", "alps"},
                           {"SLURM_JOB_PARTITION", "normal"},
                           {"SLURM_JOB_END_TIME", "1764440000"}});
  ASSERT_TRUE(job);
  EXPECT_EQ(to_text(*job), "Slurm job 77, restart 2");
  EXPECT_EQ(job->num_nodes, 4);
  EXPECT_EQ(job->nodes, "node[01-04]");
  EXPECT_EQ(job->cluster, "alps");
  EXPECT_EQ(job->partition, "normal");
  EXPECT_EQ(job->end_unix_seconds, 1764440000);
}

// Defect: jobs of an array that cannot be told apart, or a variable that is no number believed.
TEST(BatchJob, OfAnArrayAndWithoutTheRest) {
  const auto job = job_of({{"SLURM_JOB_ID", "80"},
                           {"SLURM_ARRAY_JOB_ID", "78"},
                           {"SLURM_ARRAY_TASK_ID", "2"},
                           {"SLURM_JOB_END_TIME", "soon"}});
  ASSERT_TRUE(job);
  EXPECT_EQ(to_text(*job), "Slurm job 78_2");
  EXPECT_FALSE(job->end_unix_seconds);
}

}  // namespace
}  // namespace lmtrain
