// The traces of a run, a file per rank (base/trace.h).
#pragma once

#include <memory>

#include "base/phase.h"
#include "base/trace.h"
#include "parallel/communicator.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// Starts to record the phases, and the operations of both groups and of all groups that are split
// from them later. `device_world` may be null. The trace of an attempt `before` in this process, if
// there was one, goes on. Without train.trace this does nothing and returns null.
std::shared_ptr<Trace> start_trace(const TrainConfig& config, PhaseTracker& phases,
                                   Communicator& world, Communicator* device_world,
                                   std::shared_ptr<Trace> before);

// Writes what the trace holds now. A failure only causes a warning, since no run should end for it.
void write_trace(Trace& trace, const RunFolder& folder, int rank);

// Logs where the traces are, and how many spans this rank's trace had to drop.
void log_trace(const Trace& trace, const RunFolder& folder);

// Removes the traces of earlier attempts, which may have had another number of ranks.
void remove_traces(const RunFolder& folder);

}  // namespace lmtrain
