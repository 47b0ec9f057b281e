#include "base/batch_job.h"

#include <cstdlib>

#include "base/text.h"

namespace lmtrain {

std::optional<BatchJob> batch_job(const std::function<const char*(const char*)>& variable) {
  const auto text = [&](const char* name) -> std::string {
    const char* const value = variable(name);
    return value == nullptr ? "" : value;
  };
  const std::string id = text("SLURM_JOB_ID");
  if (id.empty()) return std::nullopt;
  BatchJob job;
  job.system = "slurm";
  const std::string of_array = text("SLURM_ARRAY_JOB_ID");
  job.id = of_array.empty() ? id : cat(of_array, "_", text("SLURM_ARRAY_TASK_ID"));
  job.restarts = parse_integer(text("SLURM_RESTART_COUNT")).value_or(0);
  job.num_nodes = parse_integer(text("SLURM_JOB_NUM_NODES")).value_or(1);
  job.nodes = text("SLURM_JOB_NODELIST");
  job.cluster = text("SLURM_CLUSTER_NAME");
  job.partition = text("SLURM_JOB_PARTITION");
  job.end_unix_seconds = parse_number(text("SLURM_JOB_END_TIME"));
  return job;
}

std::optional<BatchJob> batch_job() {
  return batch_job([](const char* name) { return std::getenv(name); });
}

std::string to_text(const BatchJob& job) {
  return cat("Slurm job ", job.id, job.restarts > 0 ? cat(", restart ", job.restarts) : "");
}

}  // namespace lmtrain
