#include "trainer/commands/rank_job.h"

#include <cstdio>
#include <iostream>

#include "base/log.h"
#include "parallel/rank_work.h"
#include "trainer/commands/alike.h"

namespace lmtrain {
namespace {

class Nowhere : public std::streambuf {
 protected:
  int overflow(int byte) override { return byte == EOF ? 0 : byte; }
};

}  // namespace

SilentUnlessFirst::SilentUnlessFirst(const Launch& launch) : before_(std::cout.rdbuf()) {
  static Nowhere nowhere;
  if (launch.rank() != 0) std::cout.rdbuf(&nowhere);
}

SilentUnlessFirst::~SilentUnlessFirst() { std::cout.rdbuf(before_); }

ExitCode run_as_rank(const std::function<ExitCode(Launch&)>& work) {
  Launch launch(nullptr, nullptr);
  try {
    return work_or_end_job(launch, [&] {
      const ExitCode code = work(launch);
      launch.world().barrier();  // MPI itself would wait for a rank that hangs for ever
      return code;
    });
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
    require_alike(loaded, launch);
    return work(loaded, launch);
  });
}

}  // namespace lmtrain
