#include "energy/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// A shorter gap of a sensor is only the rounding of ledgers.
constexpr double kNoGapSeconds = 1e-3;
constexpr double kPartsTolerance = 1e-9;

EnergyRange scaled(const EnergyRange& energy, double share) {
  return {energy.joules * share, energy.low * share, energy.high * share};
}

// The element that matches. If there is none, adds `fresh` and returns that.
template <class Part, class Matches>
Part& find_or_add(std::vector<Part>& parts, const Matches& matches, Part fresh) {
  const auto at = std::find_if(parts.begin(), parts.end(), matches);
  return at != parts.end() ? *at : parts.emplace_back(std::move(fresh));
}

EnergyRange energy_of(const EnergyTotals& totals, bool gpus, bool others) {
  EnergyRange sum;
  for (const SensorTotals& sensor : totals.sensors) {
    const bool gpu = sensor.info.kind == DeviceKind::kGpu;
    if (gpu ? gpus : others) sum.add(sensor.energy);
  }
  return sum;
}

void refuse_double_owners(const std::vector<EnergyTotals>& all) {
  std::set<std::tuple<int64_t, std::string, std::string>> seen;
  for (const EnergyTotals& totals : all) {
    for (const SensorTotals& sensor : totals.sensors) {
      const auto& start = totals.start;
      if (seen.emplace(start.attempt, start.place.host, sensor.info.key).second) continue;
      throw DataError(cat("the sensor ", sensor.info.key, " of ", start.place.host,
                          " is twice in the energy ledgers of attempt ", start.attempt, "; rank ",
                          start.place.rank, " metered it again"));
    }
  }
}

void add_devices(EmissionsReport& report, const EnergyTotals& totals) {
  const std::string& host = totals.start.place.host;
  for (const SensorTotals& sensor : totals.sensors) {
    const auto same = [&](const DeviceEnergy& device) {
      return device.host == host && device.sensor.key == sensor.info.key;
    };
    DeviceEnergy fresh;
    fresh.host = host;
    fresh.sensor = sensor.info;
    DeviceEnergy& device = find_or_add(report.devices, same, std::move(fresh));
    device.energy.add(sensor.energy);
    device.seconds += totals.seconds;
    device.covered_seconds += sensor.covered_seconds;
    device.missing_readings += sensor.missing_readings;
    if (!sensor.missing_reason.empty()) device.missing_reason = sensor.missing_reason;
  }
}

// Gives each rank the energy of its GPU and its part of the other energy of its node, by CPU time.
void add_ranks(EmissionsReport& report, const std::vector<EnergyTotals>& all) {
  struct Node {
    EnergyRange energy;
    double cpu_seconds = 0.0;
    double ranks = 0.0;
  };
  std::map<std::pair<int64_t, std::string>, Node> nodes;
  const auto node_of = [&](const EnergyTotals& totals) -> Node& {
    return nodes[{totals.start.attempt, totals.start.place.host}];
  };
  for (const EnergyTotals& totals : all) {
    Node& node = node_of(totals);
    node.energy.add(energy_of(totals, false, true));
    node.cpu_seconds += totals.cpu_seconds;
    node.ranks += 1.0;
  }
  for (const EnergyTotals& totals : all) {
    const Node& node = node_of(totals);
    const int64_t number = totals.start.place.rank;
    const auto same = [&](const RankEnergy& rank) { return rank.rank == number; };
    RankEnergy& rank = find_or_add(report.ranks, same, RankEnergy{number, 0.0, {}});
    const bool idle = node.cpu_seconds <= 0.0;
    const double share = idle ? 1.0 / node.ranks : totals.cpu_seconds / node.cpu_seconds;
    rank.cpu_seconds += totals.cpu_seconds;
    rank.energy.add(scaled(node.energy, share));
    rank.energy.add(energy_of(totals, true, false));
  }
  std::sort(report.ranks.begin(), report.ranks.end(),
            [](const RankEnergy& a, const RankEnergy& b) { return a.rank < b.rank; });
}

void add_attempt(EmissionsReport& report, const EnergyTotals& totals) {
  const AttemptStart& start = totals.start;
  const auto same = [&](const AttemptEnergy& one) { return one.attempt == start.attempt; };
  AttemptEnergy fresh;
  fresh.attempt = start.attempt;
  fresh.num_ranks = start.place.num_ranks;
  fresh.wall_seconds = start.wall_seconds;
  fresh.first_step = start.first_step;
  fresh.stopped = true;
  AttemptEnergy& attempt = find_or_add(report.attempts, same, fresh);
  attempt.wall_seconds = std::min(attempt.wall_seconds, start.wall_seconds);
  attempt.seconds = std::max(attempt.seconds, totals.seconds);
  attempt.last_step = std::max(attempt.last_step, totals.last_step);
  attempt.stopped = attempt.stopped && totals.stopped;
  attempt.energy.add(energy_of(totals, true, true));
}

// The first step that an attempt after `attempt` computed, if there is one.
std::optional<int64_t> resumed_step(const EmissionsReport& report, int64_t attempt) {
  std::optional<int64_t> step;
  for (const AttemptEnergy& later : report.attempts) {
    if (later.attempt > attempt) step = std::min(step.value_or(later.first_step), later.first_step);
  }
  return step;
}

void add_waste(EmissionsReport& report, const std::vector<EnergyTotals>& all) {
  for (AttemptEnergy& attempt : report.attempts) {
    const std::optional<int64_t> step = resumed_step(report, attempt.attempt);
    // An attempt that ended in order at the step at which the next one began wasted nothing.
    if (!step || *step > attempt.last_step) continue;
    if (attempt.stopped && *step == attempt.last_step) continue;
    for (const EnergyTotals& totals : all) {
      if (totals.start.attempt != attempt.attempt) continue;
      attempt.wasted_joules += totals.series.joules_from_step(totals.start.first_step, *step);
    }
  }
}

void add_nodes(EmissionsReport& report) {
  for (const DeviceEnergy& device : report.devices) {
    const auto same = [&](const NodeEnergy& node) { return node.host == device.host; };
    find_or_add(report.nodes, same, NodeEnergy{device.host, {}}).energy.add(device.energy);
  }
}

void add_phases(EmissionsReport& report, const EnergyTotals& totals) {
  for (size_t i = 0; i < report.phases.size(); ++i) {
    report.phases[i].joules += totals.phase_joules[i];
    if (totals.start.place.rank == 0) report.phases[i].seconds += totals.phase_seconds[i];
  }
}

// Estimates the energy of gaps at the mean power of their sensor.
void add_gaps(EmissionsReport& report) {
  for (DeviceEnergy& device : report.devices) {
    const double gap = device.seconds - device.covered_seconds;
    if (gap < kNoGapSeconds) continue;
    const std::string name = cat(device.sensor.key, " of ", device.host);
    if (device.covered_seconds <= 0.0) {
      report.remarks.push_back(cat(
          name, " was never read, so that no number includes its energy: ", device.missing_reason));
      continue;
    }
    device.missing_joules = device.energy.joules / device.covered_seconds * gap;
    report.remarks.push_back(cat(name, " was not read for ", fixed(gap, 1), " of ",
                                 fixed(device.seconds, 1), " s: ", device.missing_reason));
  }
}

void add_totals(EmissionsReport& report) {
  double measured = 0.0;
  double modelled = 0.0;
  double missing = 0.0;
  for (const DeviceEnergy& device : report.devices) {
    report.energy.add(device.energy);
    report.energy.high += device.missing_joules;
    missing += device.missing_joules;
    const bool is_measured = device.sensor.quality == Quality::kMeasured;
    (is_measured ? measured : modelled) += device.energy.joules;
  }
  const double all = measured + modelled + missing;
  if (all <= 0.0) return;
  report.measured_share = measured / all;
  report.modelled_share = modelled / all;
  report.missing_share = missing / all;
}

void add_remarks(EmissionsReport& report, const std::vector<EnergyTotals>& all) {
  int64_t lost = 0;
  for (const EnergyTotals& totals : all) lost += totals.lost_lines;
  if (lost > 0) {
    report.remarks.push_back(
        cat(lost, " ledger lines could not be written (was the disk full?) and are missing"));
  }
  if (report.modelled_share > 0.0) {
    report.remarks.push_back(
        "modelled energy is not from a sensor; lmtrain doctor says why no sensor is used");
  }
  if (report.energy.joules <= 0.0) report.remarks.push_back("no energy was metered");
}

}  // namespace

double EmissionsReport::emissions_kg() const {
  return emissions_grams(energy.joules, pue, grid.g_per_kwh) / 1000.0;
}

double EmissionsReport::wasted_joules() const {
  double sum = 0.0;
  for (const AttemptEnergy& attempt : attempts) sum += attempt.wasted_joules;
  return sum;
}

EmissionsReport make_emissions_report(const std::vector<EnergyTotals>& totals,
                                      const EnergyConfig& config) {
  refuse_double_owners(totals);
  EmissionsReport report;
  report.pue = config.pue;
  report.grid = grid_intensity(config);
  for (const EnergyTotals& one : totals) {
    add_devices(report, one);
    add_attempt(report, one);
    add_phases(report, one);
    report.meter_seconds += one.meter_seconds;
  }
  std::sort(report.attempts.begin(), report.attempts.end(),
            [](const AttemptEnergy& a, const AttemptEnergy& b) { return a.attempt < b.attempt; });
  for (const AttemptEnergy& attempt : report.attempts) report.seconds += attempt.seconds;
  add_ranks(report, totals);
  add_nodes(report);
  add_waste(report, totals);
  add_gaps(report);
  add_totals(report);
  add_remarks(report, totals);
  check_parts(report);
  return report;
}

void check_parts(const EmissionsReport& report) {
  const auto check = [&](const char* what, const auto& parts, const auto& joules_of) {
    double sum = 0.0;
    for (const auto& part : parts) sum += joules_of(part);
    const double total = report.energy.joules;
    if (std::abs(sum - total) <= kPartsTolerance * std::max(1.0, total)) return;
    throw DataError(cat("the energy of the ", what, " adds up to ", shortest(sum),
                        " J, not to the ", shortest(total), " J of the run"));
  };
  const auto energy_joules = [](const auto& part) { return part.energy.joules; };
  check("devices", report.devices, energy_joules);
  check("nodes", report.nodes, energy_joules);
  check("ranks", report.ranks, energy_joules);
  check("attempts", report.attempts, energy_joules);
  check("phases", report.phases, [](const PhaseEnergy& phase) { return phase.joules; });
}

}  // namespace lmtrain
