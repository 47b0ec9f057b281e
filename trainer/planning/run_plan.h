// What a config will take on a machine, before it starts: memory, operations, time, energy,
// emissions, money. `lmtrain plan` prints it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "energy/plan/energy_plan.h"
#include "energy/report/plan_factors.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/layouts.h"

namespace lmtrain {

// How long the parts of a run take, in seconds, and where that is from.
struct PartTimes {
  Estimate step;
  Estimate validation;
  Estimate save_stall;  // in which training stands still for a save
  Estimate ends;        // start-up, and the samples and the report at the end
  std::string source;
};

// By a layout's estimate, which docs/parallel.md compares with measurements.
PartTimes estimated_times(const Config& config, const LayoutPlan& layout, int64_t num_ranks);

// What a machine draws at work, with all that idles in its nodes.
struct MachinePower {
  Estimate watts;  // of a node
  std::string source;
  double idle_watts = 0;         // of a node that waits
  bool is_of_all_nodes = false;  // measured where the run will be
};
// Of a known machine by its data sheet; of this node by the model of its processors and memory
// (energy/meters/power_model.h) with `cores` of them at work.
MachinePower power_of(const MachineSpec& machine, const EnergyConfig& config, int64_t cores,
                      const std::filesystem::path& procfs = "/proc");

struct RunPlan {
  LayoutPlan layout;
  double flops = 0;  // of the whole training, without what recomputation adds
  int64_t tokens = 0;
  int64_t num_validations = 0;
  int64_t num_saves = 0;
  PartTimes times;
  MachinePower power;
  PlannedRun run;         // time and power of the whole
  double idle_watts = 0;  // of the same computers while they wait
  EnergyPlan energy;

  PlanFactors factors() const;
};

struct PlanQuestion {
  Config config;
  int64_t vocab_size = 0;
  int64_t num_ranks = 1;
  MachineSpec machine;
  std::string device;  // name of the accelerator; "" without one
  EnergyPrice price;
  std::shared_ptr<const IntensitySeries> series;
  double begins = 0;  // Unix time
};

// The layout of the config, or the best one where parallel.layout is auto. Throws ConfigError where
// none is possible.
LayoutPlan layout_of(const PlanQuestion& question);

RunPlan plan_run(const PlanQuestion& question, const LayoutPlan& layout, const PartTimes& times,
                 const MachinePower& power);

}  // namespace lmtrain
