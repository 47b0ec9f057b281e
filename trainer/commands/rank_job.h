// How a command runs as a rank of a job, whether mpirun or srun started it or it is alone.
#pragma once

#include <functional>
#include <memory>
#include <streambuf>

#include "base/error.h"
#include "parallel/launch.h"
#include "trainer/commands/command.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Starts MPI where a launcher started this process, runs `work` and ends the job. An error that all
// ranks know of is logged once, by rank 0, and becomes the exit code. An error of this rank alone
// ends the other ranks too. Throws only where no job could be started.
ExitCode run_as_rank(const std::function<ExitCode(Launch&)>& work);

// While it lives standard output of ranks other than 0 goes nowhere.
class SilentUnlessFirst {
 public:
  explicit SilentUnlessFirst(const Launch& launch);
  ~SilentUnlessFirst();
  SilentUnlessFirst(const SilentUnlessFirst&) = delete;
  SilentUnlessFirst& operator=(const SilentUnlessFirst&) = delete;

 private:
  std::streambuf* before_;
};

// Command::run for work of all ranks of a job, of which rank 0 alone writes to standard output. A
// process that no launcher started runs it as it is.
template <class Options>
std::function<ExitCode(const CommandLine&)> run_on_ranks(std::shared_ptr<Options> options,
                                                         void (*work)(const Options&, Launch&)) {
  return [options, work](const CommandLine&) {
    if (!Launch::was_started_by_launcher()) {
      Launch alone(nullptr, nullptr);
      work(*options, alone);
      return ExitCode::kDone;
    }
    return run_as_rank([&](Launch& launch) {
      const SilentUnlessFirst silent(launch);
      work(*options, launch);
      return ExitCode::kDone;
    });
  };
}

// The same with the config, which all ranks read first: where one cannot, all end.
using ConfigWork = std::function<ExitCode(const LoadedConfig&, Launch&)>;
ExitCode run_as_rank(const ConfigArguments& arguments, const ConfigWork& work);

}  // namespace lmtrain
