#include "trainer/run/run_trace.h"

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

std::shared_ptr<Trace> start_trace(const TrainConfig& config, PhaseTracker& phases,
                                   Communicator& world, Communicator* device_world,
                                   std::shared_ptr<Trace> before) {
  if (!config.trace) return nullptr;
  const auto trace = before ? std::move(before) : std::make_shared<Trace>(world.rank());
  phases.record_in(trace);
  world.set_trace(trace);
  if (device_world != nullptr) device_world->set_trace(trace);
  return trace;
}

void write_trace(Trace& trace, const RunFolder& folder, int rank) {
  try {
    make_folders(folder.traces());
    trace.write(folder.traces() / cat("rank-", zero_padded(rank, 5), ".json"));
  } catch (const std::exception& error) {
    log_warn(cat("the trace could not be written: ", error.what()));
  }
}

void log_trace(const Trace& trace, const RunFolder& folder) {
  const int64_t num_dropped = trace.num_dropped();
  log_info(cat(
      "traces of all ranks, for chrome://tracing and ui.perfetto.dev: ", folder.traces().string(),
      num_dropped == 0
          ? ""
          : cat("; the oldest ", with_commas(num_dropped), " spans of rank 0 were dropped")));
}

void remove_traces(const RunFolder& folder) { std::filesystem::remove_all(folder.traces()); }

}  // namespace lmtrain
