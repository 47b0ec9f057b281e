#include "energy/ledger/node_share.h"

#include <algorithm>

namespace lmtrain {
namespace {

// The services of the system itself take a few percent. What they take on a node of one job belongs
// to that job.
constexpr double kNearlyAll = 0.95;

}  // namespace

double share_of(const NodeShare& share, DeviceKind kind) {
  if (kind == DeviceKind::kGpu) return 1.0;
  return kind == DeviceKind::kMemory ? share.memory : share.cpu;
}

NodeWork work_of(const EnergyTotals& totals) {
  const auto ranks = static_cast<double>(totals.start.place.local_size);
  return {totals.cpu_seconds * ranks, totals.node_busy_cpu_seconds,
          totals.memory_byte_seconds * ranks, totals.node_memory_byte_seconds};
}

NodeShare RecentShare::at(double seconds, const NodeWork& work) {
  constexpr double kWindow = 1.0;
  const NodeWork& before = older_.work;
  const NodeShare share = node_share({work.job_cpu_seconds - before.job_cpu_seconds,
                                      work.node_cpu_seconds - before.node_cpu_seconds,
                                      work.job_byte_seconds - before.job_byte_seconds,
                                      work.node_byte_seconds - before.node_byte_seconds});
  if (seconds - newer_.seconds >= kWindow) {
    older_ = newer_;
    newer_ = {seconds, work};
  }
  return share;
}

NodeShare node_share(const NodeWork& work) {
  NodeShare share;
  if (work.node_cpu_seconds <= 0.0) return share;
  const double cpu = work.job_cpu_seconds / work.node_cpu_seconds;
  if (cpu >= kNearlyAll) return share;
  share.cpu = cpu;
  if (work.node_byte_seconds > 0.0)
    share.memory = std::min(1.0, work.job_byte_seconds / work.node_byte_seconds);
  return share;
}

void take_share(EnergyTotals& totals, const NodeShare& share) {
  if (share.is_whole()) return;
  for (SensorTotals& sensor : totals.sensors) {
    const double part = share_of(share, sensor.info.kind);
    sensor.energy.joules *= part;
    sensor.energy.low *= part;
  }
  for (auto& phase : totals.phase_joules) {
    for (size_t kind = 0; kind < phase.size(); ++kind)
      phase[kind] *= share_of(share, static_cast<DeviceKind>(kind));
  }
  const auto part_of = [&](DeviceKind kind) { return share_of(share, kind); };
  totals.series.scale(part_of);
  totals.timed.scale(part_of);
  totals.timed_otherwise.scale(part_of);
}

}  // namespace lmtrain
