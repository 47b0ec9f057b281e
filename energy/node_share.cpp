#include "energy/node_share.h"

#include <algorithm>

namespace lmtrain {
namespace {

// The services of the system itself take a few percent. What they take on a node of one job belongs
// to that job.
constexpr double kNearlyAll = 0.95;

double share_of(const NodeShare& share, DeviceKind kind) {
  if (kind == DeviceKind::kGpu) return 1.0;
  return kind == DeviceKind::kMemory ? share.memory : share.cpu;
}

}  // namespace

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
  totals.series.scale([&](DeviceKind kind) { return share_of(share, kind); });
}

}  // namespace lmtrain
