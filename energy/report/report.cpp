#include "energy/report/report.h"

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

// A shorter gap of a sensor is the rounding of ledgers, or the time since its last update.
constexpr double kNoGapSeconds = 0.2;
// A gap is remarked on if it is longer than this, and a larger part of the time than the other. The
// moments in which a program starts are in the table all the same.
constexpr double kRemarkedSeconds = 5.0;
constexpr double kRemarkedShare = 0.01;
constexpr double kPartsTolerance = 1e-9;
// Of an attempt's energy; the seconds around a series' end are not worth a word.
constexpr double kNearlyAllTimed = 0.999;

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
    if (!sensor.doubt.empty()) device.doubt = sensor.doubt;
  }
}

// One counter that two sensors show is counted twice.
void doubt_equal_counters(EmissionsReport& report) {
  constexpr double kEnoughJoules = 1.0;
  const auto equal = [](const SensorTotals& a, const SensorTotals& b) {
    return a.energy.joules == b.energy.joules && a.energy.joules > kEnoughJoules &&
           a.info.quality == Quality::kMeasured && b.info.quality == Quality::kMeasured;
  };
  for (EnergyTotals& totals : report.totals) {
    for (size_t i = 0; i < totals.sensors.size(); ++i) {
      for (size_t k = i + 1; k < totals.sensors.size(); ++k) {
        if (!equal(totals.sensors[i], totals.sensors[k])) continue;
        report.doubts.push_back(cat(totals.sensors[i].info.key, " and ", totals.sensors[k].info.key,
                                    " of ", totals.start.place.host,
                                    " counted the same to the microjoule: if they are one counter, "
                                    "its energy is twice in the numbers, and once in the low end"));
        totals.sensors[k].energy.low = 0.0;
      }
    }
  }
}

// Leaves each attempt its job's part of the nodes that it shared with other jobs.
void share_nodes(EmissionsReport& report) {
  std::map<std::pair<int64_t, std::string>, NodeWork> nodes;
  for (const EnergyTotals& totals : report.totals) {
    NodeWork& work = nodes[{totals.start.attempt, totals.start.place.host}];
    work.job_cpu_seconds += totals.cpu_seconds;
    work.job_byte_seconds += totals.memory_byte_seconds;
    work.node_cpu_seconds += totals.node_busy_cpu_seconds;
    work.node_byte_seconds += totals.node_memory_byte_seconds;
  }
  for (EnergyTotals& totals : report.totals) {
    const int64_t attempt = totals.start.attempt;
    const std::string& host = totals.start.place.host;
    const NodeShare share = node_share(nodes[{attempt, host}]);
    const double before = energy_of(totals, false, true).joules;
    take_share(totals, share);
    if (share.is_whole() || before <= 0.0) continue;
    const auto same = [&](const SharedNode& node) {
      return node.attempt == attempt && node.host == host;
    };
    SharedNode& node =
        find_or_add(report.shared_nodes, same, SharedNode{attempt, host, share, 0.0, 0.0});
    node.node_joules += before;
    node.joules += energy_of(totals, false, true).joules;
  }
}

// Gives each rank the energy of its GPU and its part of the other energy of its node, by CPU time.
void add_ranks(EmissionsReport& report) {
  const std::vector<EnergyTotals>& all = report.totals;
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

void add_attempt(EmissionsReport& report, const EnergyTotals& totals, const EnergyPrice& usual) {
  const AttemptStart& start = totals.start;
  const auto same = [&](const AttemptEnergy& one) { return one.attempt == start.attempt; };
  AttemptEnergy fresh;
  fresh.attempt = start.attempt;
  fresh.num_ranks = start.place.num_ranks;
  fresh.wall_seconds = start.wall_seconds;
  fresh.original_price = usual;
  fresh.first_step = start.first_step;
  fresh.stopped = true;
  AttemptEnergy& attempt = find_or_add(report.attempts, same, fresh);
  // By the clock of the first rank's host: those of others may be wrong.
  if (start.place.rank == 0) attempt.wall_seconds = start.wall_seconds;
  attempt.job = start.job;
  attempt.has_own_price = start.price.has_value();
  if (start.price) attempt.original_price = *start.price;
  attempt.seconds = std::max(attempt.seconds, totals.seconds);
  attempt.last_step = std::max(attempt.last_step, totals.last_step);
  attempt.stopped = attempt.stopped && totals.stopped;
  attempt.energy.add(energy_of(totals, true, true));
  attempt.timed.add(totals.timed);
  attempt.timed_otherwise.add(totals.timed_otherwise);
}

// The first step that an attempt after `attempt` computed, if there is one.
std::optional<int64_t> resumed_step(const EmissionsReport& report, int64_t attempt) {
  std::optional<int64_t> step;
  for (const AttemptEnergy& later : report.attempts) {
    if (later.attempt > attempt) step = std::min(step.value_or(later.first_step), later.first_step);
  }
  return step;
}

// Whether an attempt came to compute; one that ended before has nothing to compute again.
bool has_computed(const EmissionsReport& report, int64_t attempt) {
  return std::ranges::any_of(report.totals, [&](const EnergyTotals& totals) {
    return totals.start.attempt == attempt &&
           totals.phase_seconds[static_cast<size_t>(Phase::kForward)] +
                   totals.phase_seconds[static_cast<size_t>(Phase::kBackward)] >
               0.0;
  });
}

// The time and the energy of a rank's attempt in its steps: all that is not one of these phases.
constexpr Phase kBesideSteps[] = {Phase::kStartup,    Phase::kPreparation, Phase::kCheckpoint,
                                  Phase::kEvaluation, Phase::kSamples,     Phase::kPaused};
double step_seconds(const EnergyTotals& totals) {
  double seconds = totals.seconds;
  for (const Phase phase : kBesideSteps)
    seconds -= totals.phase_seconds[static_cast<size_t>(phase)];
  return std::max(0.0, seconds);
}
double step_joules(const EnergyTotals& totals) {
  double joules = totals.joules();
  for (const Phase phase : kBesideSteps) joules -= totals.joules_in(phase);
  return std::max(0.0, joules);
}

void add_waste(EmissionsReport& report) {
  for (AttemptEnergy& attempt : report.attempts) {
    attempt.has_computed =
        attempt.last_step > attempt.first_step || has_computed(report, attempt.attempt);
    if (!attempt.has_computed) continue;
    const std::optional<int64_t> step = resumed_step(report, attempt.attempt);
    // An attempt that ended in order at the step at which the next one began wasted nothing.
    if (!step || *step > attempt.last_step) continue;
    if (attempt.stopped && *step == attempt.last_step) continue;
    for (const EnergyTotals& totals : report.totals) {
      if (totals.start.attempt != attempt.attempt) continue;
      attempt.wasted_joules += totals.series.joules_from_step(totals.start.first_step, *step);
      const auto wasted = static_cast<double>(attempt.last_step - *step + 1);
      const auto all = static_cast<double>(attempt.last_step - attempt.first_step + 1);
      const double share = std::clamp(wasted / all, 0.0, 1.0);
      attempt.wasted_step_joules += step_joules(totals) * share;
      if (totals.start.place.rank == 0) attempt.wasted_seconds = step_seconds(totals) * share;
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
    report.phases[i].joules += totals.joules_in(static_cast<Phase>(i));
    if (totals.start.place.rank == 0) report.phases[i].seconds += totals.phase_seconds[i];
  }
}

// "rapl" of "rapl:package-0".
std::string source_of(const std::string& key) { return key.substr(0, key.find(':')); }

// The mean power of the sensors of the same kind and source on that node, for one that was never
// read; else what such a device draws; 0 where nothing is known.
double stand_in_watts(const EmissionsReport& report, const DeviceEnergy& device) {
  double watts = 0.0;
  double count = 0.0;
  for (const DeviceEnergy& other : report.devices) {
    const bool alike = other.host == device.host && other.sensor.kind == device.sensor.kind &&
                       source_of(other.sensor.key) == source_of(device.sensor.key);
    if (!alike || other.covered_seconds <= 0.0) continue;
    watts += other.energy.joules / other.covered_seconds;
    count += 1.0;
  }
  return count > 0.0 ? watts / count : device.sensor.stand_in_watts;
}

// Estimates the energy of gaps.
void add_gaps(EmissionsReport& report) {
  for (DeviceEnergy& device : report.devices) {
    const double gap = device.seconds - device.covered_seconds;
    if (gap < kNoGapSeconds) continue;
    const std::string name = cat(device.sensor.key, " of ", device.host);
    if (device.covered_seconds <= 0.0) {
      const double watts = stand_in_watts(report, device);
      device.missing_joules = watts * gap;
      report.doubts.push_back(
          cat(name, " was never read (", device.missing_reason, "), so its energy is missing",
              watts > 0.0 ? cat("; the high end takes ", fixed(watts, 0), " W for it")
                          : "; nothing is known of it, and no number includes it"));
      continue;
    }
    device.missing_joules = device.energy.joules / device.covered_seconds * gap;
    if (gap < kRemarkedSeconds && gap < kRemarkedShare * device.seconds) continue;
    const std::string reason =
        device.missing_reason.empty() ? "lmtrain was starting" : device.missing_reason;
    report.remarks.push_back(cat(name, " was not read for ", fixed(gap, 1), " of ",
                                 fixed(device.seconds, 1), " s: ", reason));
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

EnergyCost cost_of(const EmissionsReport& report, EnergyPrice AttemptEnergy::*price) {
  EnergyCost cost;
  const auto add = [&](const EnergyRange& energy, const EnergyPrice& at, EnergyRange& facility,
                       EmissionsRange& emissions) {
    facility.add(energy.joules * at.pue, energy.low * at.pue, energy.high * at.pue);
    emissions.grams += energy.joules * at.grams_per_joule();
    emissions.low += energy.low * at.grams_per_joule();
    emissions.high += energy.high * at.grams_per_joule();
  };
  double gaps = report.energy.high;
  for (const AttemptEnergy& attempt : report.attempts) {
    add(attempt.energy, attempt.*price, cost.facility, cost.emissions);
    gaps -= attempt.energy.high;
  }
  // Which attempt a gap is of is not known here; the dearest price keeps the high end safe.
  EnergyPrice dearest{};  // of 0 g/kWh
  for (const AttemptEnergy& attempt : report.attempts) {
    dearest.pue = std::max(dearest.pue, (attempt.*price).pue);
    dearest.grid.g_per_kwh = std::max(dearest.grid.g_per_kwh, (attempt.*price).grid.g_per_kwh);
  }
  add({0.0, 0.0, std::max(0.0, gaps)}, dearest, cost.facility, cost.emissions);
  return cost;
}

// Each rank keeps a ledger; one that is lost takes the energy of its sensors with it.
void doubt_missing_ledgers(EmissionsReport& report) {
  for (const AttemptEnergy& attempt : report.attempts) {
    std::set<int64_t> ranks;
    for (const EnergyTotals& totals : report.totals) {
      if (totals.start.attempt == attempt.attempt) ranks.insert(totals.start.place.rank);
    }
    const int64_t missing = attempt.num_ranks - static_cast<int64_t>(ranks.size());
    if (missing <= 0) continue;
    report.missing_ledgers += missing;
    report.doubts.push_back(cat("the ledgers of ", missing, " of the ", attempt.num_ranks,
                                " ranks of attempt ", attempt.attempt,
                                " are missing or hold nothing: what their sensors counted is in no "
                                "number"));
  }
}

// The price with the mean intensity of the attempt's hours, if there is a series.
EnergyPrice at_mean_intensity(EnergyPrice price, const TimedEnergy& timed, double joules) {
  if (price.series.empty() || timed.all_joules() <= 0.0) return price;
  const double mean = timed.mean_g_per_kwh(joules, price.grid.g_per_kwh);
  const bool is_all = timed.all_joules() >= kNearlyAllTimed * joules;
  price.grid = {"", "", "mean of the hours, by energy", mean, 0, price.series};
  price.is_grid_assumed = price.is_grid_assumed && !is_all;
  return price;
}

void remark_on_series(EmissionsReport& report, const AttemptEnergy& attempt,
                      const EnergyPrice& price, const TimedEnergy& timed) {
  const double joules = attempt.energy.joules;
  if (price.series.empty() || joules <= 0.0 || timed.all_joules() >= kNearlyAllTimed * joules)
    return;
  report.remarks.push_back(cat("of attempt ", attempt.attempt, " ",
                               fixed(100 * (1 - timed.all_joules() / joules), 0),
                               "% of the energy is of hours of which the series says nothing (",
                               price.series, ") and counts at ", describe(price.grid)));
}

void add_costs(EmissionsReport& report, const Repricing& repricing) {
  for (AttemptEnergy& attempt : report.attempts) {
    const EnergyPrice by_new = repriced(attempt.original_price, repricing);
    const TimedEnergy& timed = repricing.series ? attempt.timed_otherwise : attempt.timed;
    remark_on_series(report, attempt, by_new, timed);
    attempt.price = at_mean_intensity(by_new, timed, attempt.energy.joules);
    attempt.original_price =
        at_mean_intensity(attempt.original_price, attempt.timed, attempt.energy.joules);
  }
  report.cost = cost_of(report, &AttemptEnergy::price);
  if (repricing.changes_anything())
    report.original_cost = cost_of(report, &AttemptEnergy::original_price);
}

void add_doubts_and_remarks(EmissionsReport& report) {
  for (const DeviceEnergy& device : report.devices) {
    if (!device.doubt.empty())
      report.doubts.push_back(cat(device.sensor.key, " of ", device.host, ": ", device.doubt));
  }
  int64_t lost = 0;
  for (const EnergyTotals& totals : report.totals) lost += totals.lost_lines;
  if (lost > 0) {
    report.remarks.push_back(
        cat(lost, " ledger lines could not be written (was the disk full?) and are missing"));
  }
  if (report.modelled_share > 0.0) {
    report.remarks.push_back(
        "modelled energy is not from a sensor; lmtrain doctor says why no sensor is used");
  }
  if (report.energy.joules <= 0.0) report.remarks.push_back("no energy was metered");
  for (const AttemptEnergy& attempt : report.attempts) {
    if (attempt.has_own_price) continue;
    report.remarks.push_back(cat("attempt ", attempt.attempt,
                                 " was recorded by a version that kept no price; the run's config "
                                 "gives it, whatever it was then"));
  }
  for (const AttemptEnergy& attempt : report.attempts) {
    if (!attempt.price.grid.is_direct) continue;
    report.remarks.push_back(
        cat("the intensity of ", attempt.price.grid.name,
            " counts what its plants emit (direct), not the rest of their life "
            "cycle, as the averages of countries here do; compare it with its "
            "like alone"));
    break;
  }
  const auto any = [&](bool EnergyPrice::*assumed) {
    return std::ranges::any_of(report.attempts,
                               [&](const AttemptEnergy& one) { return one.price.*assumed; });
  };
  if (any(&EnergyPrice::is_pue_assumed)) {
    report.remarks.push_back(
        "nobody set energy.pue, so that PUE 1 is assumed: cooling and power supply of the building "
        "are not in the numbers");
  }
  if (any(&EnergyPrice::is_grid_assumed)) {
    report.remarks.push_back(
        "nobody set energy.region, so that the average of the world is assumed for the grid");
  }
}

}  // namespace

std::vector<RunUse::Part> RunUse::parts() const {
  return {{"steps", "steps that count", &steps},
          {"waiting", "waiting for other ranks in them", &waiting},
          {"repeated", "steps that were computed again", &repeated},
          {"startup", "start-up and preparation of text", &startup},
          {"saves", "standing still for saves", &saves},
          {"evaluation", "validation, tasks and samples", &evaluation},
          {"paused", "pauses until the grid was cleaner", &paused},
          {"between_attempts", "nothing, between attempts", &between}};
}

double RunUse::all_seconds() const {
  double sum = 0.0;
  for (const Part& part : parts()) sum += part.use->seconds;
  return sum;
}

RunUse EmissionsReport::use() const {
  RunUse use;
  const auto in = [&](std::initializer_list<Phase> some) {
    Use sum;
    for (const Phase phase : some) {
      sum.seconds += phases[static_cast<size_t>(phase)].seconds;
      sum.joules += phases[static_cast<size_t>(phase)].joules;
    }
    return sum;
  };
  use.startup = in({Phase::kStartup, Phase::kPreparation});
  use.saves = in({Phase::kCheckpoint});
  use.evaluation = in({Phase::kEvaluation, Phase::kSamples});
  use.paused = in({Phase::kPaused});
  use.waiting = in({Phase::kCommunication});
  double end = 0.0;  // of the attempt before
  for (const AttemptEnergy& attempt : attempts) {
    use.repeated.seconds += attempt.wasted_seconds;
    use.repeated.joules += attempt.wasted_step_joules;
    if (end > 0.0) use.between.seconds += std::max(0.0, attempt.wall_seconds - end);
    end = attempt.wall_seconds + attempt.seconds;
  }
  // Steps that were computed again waited as long as those that count.
  const auto divide = [&](double all, double Use::*of) {
    const double in_steps =
        std::max(0.0, all - use.startup.*of - use.saves.*of - use.evaluation.*of - use.paused.*of);
    const double counting = std::max(0.0, in_steps - use.repeated.*of);
    use.waiting.*of *= in_steps > 0.0 ? counting / in_steps : 0.0;
    use.steps.*of = std::max(0.0, counting - use.waiting.*of);
  };
  divide(seconds, &Use::seconds);
  divide(energy.joules, &Use::joules);
  return use;
}

double EmissionsReport::wasted_joules() const {
  double sum = 0.0;
  for (const AttemptEnergy& attempt : attempts) sum += attempt.wasted_joules;
  return sum;
}

const EnergyPrice* EmissionsReport::one_price() const {
  for (const AttemptEnergy& attempt : attempts) {
    if (!(attempt.price == attempts.front().price)) return nullptr;
  }
  return attempts.empty() ? nullptr : &attempts.front().price;
}

EmissionsReport make_emissions_report(std::vector<EnergyTotals> totals, const EnergyConfig& config,
                                      const Repricing& repricing) {
  refuse_double_owners(totals);
  EmissionsReport report;
  report.totals = std::move(totals);
  doubt_equal_counters(report);
  share_nodes(report);
  const EnergyPrice usual = price_of(config);
  for (const EnergyTotals& one : report.totals) {
    add_devices(report, one);
    add_attempt(report, one, usual);
    add_phases(report, one);
    report.meter_seconds += one.meter_seconds;
  }
  std::sort(report.attempts.begin(), report.attempts.end(),
            [](const AttemptEnergy& a, const AttemptEnergy& b) { return a.attempt < b.attempt; });
  for (const AttemptEnergy& attempt : report.attempts) report.seconds += attempt.seconds;
  doubt_missing_ledgers(report);
  add_ranks(report);
  add_nodes(report);
  add_waste(report);
  add_gaps(report);
  add_totals(report);
  add_costs(report, repricing);
  const Spending spending = spending_of(report);
  report.money = money_of(config, spending);
  report.currency = config.currency;
  report.budget = budget_use(config, spending);
  add_doubts_and_remarks(report);
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
