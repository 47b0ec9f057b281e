// The traces of a run, a file per rank (base/trace.h).
#pragma once

#include <memory>

#include "base/phase.h"
#include "base/trace.h"
#include "parallel/communicator.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// From now on phases and the operations of both groups, and of those split from them, are
// recorded. `device_world` may be null. Null, and nothing is done, unless the config wants a trace.
std::shared_ptr<Trace> start_trace(const TrainConfig& config, PhaseTracker& phases,
                                   Communicator& world, Communicator* device_world);

// What the trace holds now. Where it cannot be written there is a warning: no run ends for it.
void write_trace(Trace& trace, const RunFolder& folder, int rank);

// Tells where the traces are, and how much this rank's leaves out.
void log_trace(const Trace& trace, const RunFolder& folder);

// Those of earlier attempts, which may have had other ranks.
void remove_traces(const RunFolder& folder);

}  // namespace lmtrain
