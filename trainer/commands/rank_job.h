// How a command runs as a rank of a job, whether mpirun or srun started it or it is alone.
#pragma once

#include <functional>

#include "base/error.h"
#include "parallel/launch.h"
#include "trainer/commands/command.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Starts MPI where a launcher started this process, runs `work` and ends the job. An error that all
// ranks know of is logged once, by rank 0, and becomes the exit code. An error of this rank alone
// ends the other ranks too. Throws only where no job could be started.
ExitCode run_as_rank(const std::function<ExitCode(Launch&)>& work);

// The same with the config, which all ranks read first: where one cannot, all end.
using ConfigWork = std::function<ExitCode(const LoadedConfig&, Launch&)>;
ExitCode run_as_rank(const ConfigArguments& arguments, const ConfigWork& work);

}  // namespace lmtrain
