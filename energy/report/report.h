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
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/phase.h"
#include "energy/energy_config.h"
#include "energy/grid/energy_price.h"
#include "energy/ledger/node_share.h"
#include "energy/ledger/totals.h"
#include "energy/report/plan_factors.h"
#include "energy/report/run_facts.h"
#include "energy/report/spending.h"

namespace lmtrain {

struct DeviceEnergy {
  std::string host;
  MeterInfo sensor;
  EnergyRange energy;            // this job's; high is that of all jobs of the node
  double seconds = 0.0;          // time in which it should have been metered
  double covered_seconds = 0.0;  // time in which it was
  // Estimate for the rest: at its mean power or, where it was never read, at that of its like or at
  // MeterInfo::stand_in_watts. Only `high` includes it.
  double missing_joules = 0.0;
  int64_t missing_readings = 0;
  std::string missing_reason;
  std::string doubt;
};

// A node of which this job is given a part, in one attempt.
struct SharedNode {
  int64_t attempt = 1;
  std::string host;
  NodeShare share;
  double node_joules = 0.0;  // of its processors, memory and others, by all jobs
  double joules = 0.0;       // this job's part of that
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
  bool has_computed = false;  // whether it came to a step at all
  bool stopped = false;       // whether it ended in order; false if it crashed or still runs
  EnergyRange energy;
  double wasted_joules = 0.0;       // spent on steps that a later attempt computed again
  double wasted_seconds = 0.0;      // of rank 0 in those steps, if all of its steps took alike
  double wasted_step_joules = 0.0;  // the same of the energy: without the start of the attempt
  EnergyPrice price;                // that the numbers of the report are made with
  EnergyPrice original_price;       // that it had when it ran
  // Of `energy`, what counted at the intensity of its time: when it ran, and by another series.
  TimedEnergy timed;
  TimedEnergy timed_otherwise;
  std::optional<BatchJob> job;
  bool has_own_price = false;  // false for an attempt of an earlier version, priced by the config
};

// A job of the batch system, by its own figure and by lmtrain's.
struct BatchEnergy {
  std::string job;
  double system_joules = 0.0;
  double joules = 0.0;
  int64_t attempts = 0;  // that ran in it
};

// What a run costs at the prices of its attempts.
struct EnergyCost {
  EnergyRange facility;
  EmissionsRange emissions;
};

// Time of rank 0 and energy of all ranks.
struct Use {
  double seconds = 0.0;
  double joules = 0.0;
};

// What the time and the energy of a run went into.
struct RunUse {
  Use steps;     // that count, without their waiting for other ranks
  Use waiting;   // of those steps: communication that nothing hid
  Use repeated;  // steps that a later attempt computed again
  Use startup;   // with the preparation of text
  Use saves;     // in which training stood still
  Use evaluation;
  Use paused;   // until the grid was cleaner
  Use between;  // in which no attempt ran; its energy is not metered

  // Each with the name that emissions.json and reports give to it.
  struct Part {
    const char* key;
    const char* text;
    const Use* use;
  };
  std::vector<Part> parts() const;
  double all_seconds() const;
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
  std::vector<SharedNode> shared_nodes;
  EnergyCost cost;
  std::optional<EnergyCost> original_cost;  // before another price was asked for
  double money = 0;                         // by energy.price_per_kwh and price_per_device_hour
  std::string currency;
  std::vector<BudgetUse> budget;     // the limits of energy.budget that are set
  std::optional<PlanCompared> plan;  // where one was made before the run
  std::vector<BatchEnergy> batch;    // jobs of which Slurm's figure is known
  int64_t missing_ledgers = 0;       // of ranks that took part in an attempt
  std::vector<std::string> doubts;   // what makes the numbers less trustworthy than they look
  std::vector<std::string> remarks;  // what else a reader must know about them
  std::vector<EnergyTotals> totals;  // that all this is the sum of: this job's part

  double wasted_joules() const;
  RunUse use() const;
  // The price of all attempts, or null where they differ.
  const EnergyPrice* one_price() const;
};

inline double kwh(double joules) { return joules / 3.6e6; }

// Throws DataError when two ranks metered the same sensor. Attempts of earlier versions, whose
// ledgers have no price, get that of `config`.
EmissionsReport make_emissions_report(std::vector<EnergyTotals> totals, const EnergyConfig& config,
                                      const Repricing& repricing = {});

// Throws DataError naming the part if devices, nodes, ranks, attempts or phases do not add up to
// the total. make_emissions_report() calls it.
void check_parts(const EmissionsReport& report);

// What emissions.json holds.
nlohmann::ordered_json emissions_json(const EmissionsReport& report, const RunFacts& facts);
// Writes emissions.json durably. Throws IoError.
void write_emissions_json(const std::filesystem::path& path, const EmissionsReport& report,
                          const RunFacts& facts);

struct Account;

// Writes a report for people, with pictures beside it (NAME_loss.svg, NAME_power.svg,
// NAME_phases.svg). Throws IoError.
void write_report_markdown(const std::filesystem::path& path, const EmissionsReport& report,
                           const RunFacts& facts, const Account& account);

}  // namespace lmtrain
