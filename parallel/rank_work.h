// Work that all ranks do together, and how the failure of one rank ends the job.
#pragma once

#include <exception>

#include "base/error.h"
#include "parallel/launch.h"

namespace lmtrain {

// Says what only this rank knows of, where Launch::fail has not yet, and ends the whole job,
// because the other ranks would wait for this rank.
[[noreturn]] void end_job(const std::exception& error, Launch& launch);

// Runs `work`. An exception of this rank alone ends the job here, while the groups of ranks that
// were made outside of `work` still exist: destroying a group waits for its queued operations and,
// with NCCL, for the other ranks. A CollectiveError, which all ranks throw, is passed on.
template <class Work>
auto work_or_end_job(Launch& launch, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const CollectiveError&) {
    throw;
  } catch (const std::exception& error) {
    end_job(error, launch);
  }
}

}  // namespace lmtrain
