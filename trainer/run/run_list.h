// The runs in a folder, as their records tell of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "trainer/config/run_folder.h"

namespace lmtrain {

enum class RunState {
  kRunning,
  kFinished,
  kStopped,      // saved and stopped; the same command continues
  kFailed,       // ended by an error
  kInterrupted,  // killed, or stopped before its first step: there is no record of its end
};
constexpr auto choice_names(RunState) {
  return std::to_array<std::string_view>(
      {"running", "finished", "stopped", "failed", "interrupted"});
}

struct RunSummary {
  std::string name;
  RunState state = RunState::kInterrupted;
  std::string reason;   // of its end; "" where it has none
  std::string started;  // of the first attempt; "" where it is not known
  std::optional<int64_t> step;
  std::optional<int64_t> steps;  // of the whole run
  std::optional<double> train_loss;
  std::optional<double> validation_loss;
  // As of the last report, which a run writes with each checkpoint.
  std::optional<double> kwh;
  std::optional<double> kg_co2e;
  int64_t attempts = 0;
  std::string job;  // of the last attempt, "77"; "" outside a batch system
};

// Whether a folder is that of a run.
bool is_run(const RunFolder& folder);
// What is damaged or absent in its records is left out.
RunSummary summary_of(const RunFolder& folder);
// All runs right below `folder`, or the one that it is, in the order of their starts. Throws
// IoError.
std::vector<RunSummary> list_runs(const std::filesystem::path& folder);

}  // namespace lmtrain
