#include "trainer/commands/rank_job.h"

#include "base/log.h"
#include "parallel/rank_work.h"

namespace lmtrain {

ExitCode run_as_rank(const std::function<ExitCode(Launch&)>& work) {
  Launch launch(nullptr, nullptr);
  try {
    return work_or_end_job(launch, [&] { return work(launch); });
  } catch (const CollectiveError& error) {
    // Logged before MPI ends: after that, another rank's exit code makes mpirun kill this one.
    if (launch.rank() == 0) log_error(error.what());
    return error.code();
  }
}

ExitCode run_as_rank(const ConfigArguments& arguments, const ConfigWork& work) {
  return run_as_rank([&](Launch& launch) {
    LoadedConfig loaded;
    launch.together([&] { loaded = load_config(arguments.path, arguments.settings); });
    return work(loaded, launch);
  });
}

}  // namespace lmtrain
