// The job of a batch system that this process is part of, as the system's environment tells of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace lmtrain {

struct BatchJob {
  std::string system;    // "slurm"
  std::string id;        // "1234", "1234_5" for a job of an array
  int64_t restarts = 0;  // how often it was requeued
  int64_t num_nodes = 1;
  std::string nodes;                       // "node[01-04]"
  std::string cluster;                     // "" where it is not told
  std::string partition;                   // likewise
  std::optional<double> end_unix_seconds;  // when its time is up
};

// Nothing outside a job. `variable` is getenv.
std::optional<BatchJob> batch_job(const std::function<const char*(const char*)>& variable);
std::optional<BatchJob> batch_job();

// "Slurm job 1234, restart 2".
std::string to_text(const BatchJob& job);

}  // namespace lmtrain
