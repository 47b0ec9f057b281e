// The emissions report gives the energy of a run by device, node, rank, phase and attempt, and the
// emissions that it causes. docs/energy.md explains every number.
//
// The report is made from the ledgers alone, because they hold what earlier and crashed attempts
// spent. Each rank sums up its share of the ledgers (RunLedgers) and sends it to rank 0 as text
// (to_json). Rank 0 makes the report.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/phase.h"
#include "energy/carbon_intensity.h"
#include "energy/energy_config.h"
#include "energy/run_facts.h"
#include "energy/totals.h"

namespace lmtrain {

struct DeviceEnergy {
  std::string host;
  MeterInfo sensor;
  EnergyRange energy;
  double seconds = 0.0;          // time in which it should have been metered
  double covered_seconds = 0.0;  // time in which it was
  double missing_joules = 0.0;   // estimate for the rest at its mean power; only `high` includes it
  int64_t missing_readings = 0;
  std::string missing_reason;
};

struct NodeEnergy {
  std::string host;
  EnergyRange energy;
};

// The energy of a rank's GPU and the rank's part of the other energy of its node, by CPU time.
struct RankEnergy {
  int64_t rank = 0;
  double cpu_seconds = 0.0;
  EnergyRange energy;
};

struct PhaseEnergy {
  double seconds = 0.0;  // of rank 0
  double joules = 0.0;   // of all ranks
};

struct AttemptEnergy {
  int64_t attempt = 1;
  int64_t num_ranks = 1;
  double wall_seconds = 0.0;  // Unix time of its start
  double seconds = 0.0;
  int64_t first_step = 0;
  int64_t last_step = 0;
  bool stopped = false;  // whether it ended in order; false if it crashed or still runs
  EnergyRange energy;
  double wasted_joules = 0.0;  // spent on steps that a later attempt computed again
};

struct EmissionsReport {
  EnergyRange energy;           // of the computers; `high` includes the estimate of gaps
  double measured_share = 0.0;  // the three shares add up to 1, or are 0 if there is no energy
  double modelled_share = 0.0;
  double missing_share = 0.0;
  double seconds = 0.0;        // of all attempts
  double meter_seconds = 0.0;  // CPU time of all power loggers
  std::vector<DeviceEnergy> devices;
  std::vector<NodeEnergy> nodes;
  std::vector<RankEnergy> ranks;
  std::vector<AttemptEnergy> attempts;
  std::array<PhaseEnergy, kNumPhases> phases{};
  double pue = 1.0;
  GridIntensity grid;
  std::vector<std::string> remarks;  // what a reader must know about the numbers

  double facility_joules() const { return energy.joules * pue; }
  double emissions_kg() const;
  double wasted_joules() const;
};

inline double kwh(double joules) { return joules / 3.6e6; }

// Emissions of energy metered at the computers.
inline double emissions_grams(double joules, double pue, double g_per_kwh) {
  return kwh(joules) * pue * g_per_kwh;
}

// Throws DataError when two ranks metered the same sensor.
EmissionsReport make_emissions_report(const std::vector<EnergyTotals>& totals,
                                      const EnergyConfig& config);

// Throws DataError naming the part if devices, nodes, ranks, attempts or phases do not add up to
// the total. make_emissions_report() calls it.
void check_parts(const EmissionsReport& report);

// Writes emissions.json durably. Throws IoError.
void write_emissions_json(const std::filesystem::path& path, const EmissionsReport& report,
                          const RunFacts& facts);

// Writes a report for people, with pictures beside it (NAME_loss.svg, NAME_power.svg,
// NAME_phases.svg). `totals` are those that the report was made from; they give the power over
// time. Throws IoError.
void write_report_markdown(const std::filesystem::path& path, const EmissionsReport& report,
                           const std::vector<EnergyTotals>& totals, const RunFacts& facts);

}  // namespace lmtrain
