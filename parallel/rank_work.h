// What a rank does together with the others, and how its failure ends the job.
#pragma once

#include <exception>

#include "base/error.h"
#include "parallel/launch.h"

namespace lmtrain {

// An error of this rank alone, which the others cannot know of and would wait for: says it and ends
// the whole job.
[[noreturn]] void end_job(const std::exception& error, const Launch& launch);

// Runs `work` with what was made outside of it still alive when the job ends: the end of a group of
// ranks waits for what it has queued, NCCL's also for the other ranks. A CollectiveError passes.
template <class Work>
auto work_or_end_job(const Launch& launch, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const CollectiveError&) {
    throw;
  } catch (const std::exception& error) {
    end_job(error, launch);
  }
}

}  // namespace lmtrain
