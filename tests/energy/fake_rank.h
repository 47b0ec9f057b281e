// Made-up energy totals of ranks, for tests of reports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/ledger/totals.h"

namespace lmtrain {

inline const MeterInfo kPackage{"rapl:package-0", "RAPL package-0", DeviceKind::kCpu,
                                Quality::kMeasured};
inline const MeterInfo kMemory{"model:memory", "memory, modelled", DeviceKind::kMemory,
                               Quality::kModelled};
inline const MeterInfo kGpu{"nvml:GPU-a", "H100", DeviceKind::kGpu, Quality::kMeasured};

// One attempt of a rank. Each of its sensors draws `watts`, and each step takes a second.
struct FakeRank {
  int64_t attempt = 1;
  int64_t rank = 0;
  int64_t num_ranks = 1;
  std::string host = "node-a";
  std::vector<MeterInfo> sensors;
  std::vector<double> watts;
  int64_t first_step = 0;
  int seconds = 10;
  double cpu_seconds = 5.0;
  bool stopped = true;
  std::optional<EnergyPrice> price = std::nullopt;
  double node_busy = 0.0;  // CPU seconds of the whole node; 0: not known
  double wall = 1.7e9;
  double wall_pace = 1.0;  // of the wall clock; negative if it runs backwards

  EnergyTotals totals() const {
    AttemptStart start;
    start.attempt = attempt;
    start.place.rank = rank;
    start.place.num_ranks = num_ranks;
    start.place.host = host;
    start.wall_seconds = wall;
    start.first_step = first_step;
    start.price = price;
    start.sensors = sensors;
    EnergyTotals result(start);
    for (int second = 1; second <= seconds; ++second) {
      EnergySample sample;
      sample.seconds = second;
      sample.wall_seconds = wall + wall_pace * second;
      sample.cpu_seconds = cpu_seconds * second / seconds;
      if (node_busy > 0.0) sample.node = NodeUse{node_busy * second / seconds, 8e9};
      sample.memory_bytes = 2e9;
      sample.step = first_step + second - 1;
      sample.phase_seconds[static_cast<size_t>(second % 2 == 0 ? Phase::kForward
                                                               : Phase::kBackward)] = 1.0;
      for (const double power : watts) sample.readings.push_back(reading_within(1.0, power, 0.1));
      result.add(sample);
    }
    result.stopped = stopped;
    return result;
  }
};

// Two nodes. The first has two ranks, the second of which has a GPU; the other node has one rank.
inline std::vector<EnergyTotals> two_nodes() {
  return {
      FakeRank{.sensors = {kPackage, kMemory}, .watts = {100.0, 10.0}, .cpu_seconds = 7.5}.totals(),
      FakeRank{.rank = 1, .sensors = {kGpu}, .watts = {400.0}, .cpu_seconds = 2.5}.totals(),
      FakeRank{.rank = 2, .host = "node-b", .sensors = {kPackage}, .watts = {50.0}}.totals()};
}

inline EnergyConfig config_of(double pue, double intensity) {
  EnergyConfig config;
  config.pue = pue;
  config.intensity_g_per_kwh = intensity;
  return config;
}

}  // namespace lmtrain
