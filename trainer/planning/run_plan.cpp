#include "trainer/planning/run_plan.h"

#include <algorithm>
#include <cmath>

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "energy/accelerators.h"
#include "energy/meters/power_model.h"
#include "models/model_sizes.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/step/trained_parameters.h"

namespace lmtrain {
namespace {

// What a layout's estimate of a step may be wrong by (docs/energy.md, "Plans").
constexpr double kFastestStep = 0.7;
constexpr double kSlowestStep = 1.6;
// A validation computes forward alone, a third of a step's operations.
constexpr double kForwardShare = 1.0 / 3.0;
constexpr double kCopyBytesPerSecond = 5.0 * (1 << 30);
constexpr Estimate kEndsSeconds = {15, 3, 90};

// Of an accelerator's design power, at work in training: Meta and BigScience count with all of it,
// and steps that wait for others draw less.
constexpr double kLeastOfDesign = 0.6;
constexpr double kUsualOfDesign = 0.85;
// Of what the rest of a node may draw by its data sheet: processors that mostly wait, memory, fans.
constexpr double kIdleOfDesign = 0.12;
constexpr double kLeastOfHost = 0.25;
constexpr double kUsualOfHost = 0.5;

int64_t times_in(int64_t steps, int64_t interval) {
  return interval > 0 ? (steps - 1) / interval : 0;
}

}  // namespace

PartTimes estimated_times(const Config& config, const LayoutPlan& layout, int64_t num_ranks) {
  PartTimes times;
  times.step = estimate(layout.step_seconds(), kFastestStep, kSlowestStep);
  // At most so many batches, where there is so much validation text.
  times.validation =
      estimate(static_cast<double>(config.eval.batches.value_or(EvalConfig::kBatches)) *
                   kForwardShare * layout.compute_seconds,
               0, kSlowestStep);
  const auto bytes = static_cast<double>(checkpoint_bytes(config, config.model.vocab_size));
  times.save_stall = estimate(bytes / static_cast<double>(num_ranks) / kCopyBytesPerSecond, 0.5, 4);
  times.ends = kEndsSeconds;
  times.source = "estimated by the layout";
  return times;
}

MachinePower power_of(const MachineSpec& machine, const EnergyConfig& config, int64_t cores,
                      const std::filesystem::path& procfs) {
  if (!machine.on_cpu) {
    const double devices = machine.accelerator_watts * static_cast<double>(machine.ranks_per_node);
    const Estimate watts =
        estimate(devices, kLeastOfDesign / kUsualOfDesign, 1 / kUsualOfDesign) * kUsualOfDesign +
        estimate(machine.host_watts * kUsualOfHost, kLeastOfHost / kUsualOfHost, 1 / kUsualOfHost);
    const double outside = config.network_watts + config.storage_watts;
    return {watts + estimate(outside, 1, 1),
            cat("a node draws ", fixed(100 * kUsualOfDesign, 0),
                "% of its accelerators' design power, and ", fixed(100 * kUsualOfHost, 0),
                "% of what its data sheet allows for the rest"),
            devices * kIdleOfDesign + machine.host_watts * kLeastOfHost + outside};
  }
  const CpuDesignPower design = cpu_design_power(procfs, config);
  const long all_cores = sysconf(_SC_NPROCESSORS_ONLN);
  const double load = std::clamp(
      static_cast<double>(cores) / static_cast<double>(std::max(1L, all_cores)), 0.0, 1.0);
  const Reading of_cpu = cpu_power_reading(design, load, 1.0);
  const std::unique_ptr<Meter> memory = make_memory_model_meter(procfs);
  memory->read(0.0);
  const Reading of_memory = memory->read(1.0);
  const double allowance = allowance_watts(config);
  return {{of_cpu.joules + of_memory.joules + allowance, of_cpu.low + of_memory.low + allowance,
           of_cpu.high + of_memory.high + allowance},
          cat("modelled: ", design.source, ", ", cores, " of ", all_cores, " cores at work"),
          cpu_power_reading(design, 0.0, 1.0).joules + of_memory.joules + allowance};
}

LayoutPlan layout_of(const PlanQuestion& question) {
  const Config& config = question.config;
  const std::vector<LayoutPlan> plans =
      plan_layouts(config, question.vocab_size, question.num_ranks, question.machine);
  if (config.parallel.layout == LayoutMode::kAuto && !plans.empty()) return plans.front();
  const auto is_it = [&](const LayoutPlan& plan) {
    const ParallelConfig& p = plan.parallel;
    const ParallelConfig& wanted = config.parallel;
    const bool has_zero = question.num_ranks > p.tensor;  // else there is nothing to shard over
    return p.tensor == wanted.tensor && p.sequence == wanted.sequence &&
           p.recompute == wanted.recompute && (!has_zero || p.zero == wanted.zero);
  };
  const auto found = std::ranges::find_if(plans, is_it);
  if (found != plans.end()) return *found;
  throw ConfigError(cat("no layout of ", question.num_ranks, " ranks with ",
                        layout_text(config.parallel, question.num_ranks),
                        " divides train.global_batch_size = ", config.train.global_batch_size,
                        ", train.micro_batch_size = ", config.train.micro_batch_size,
                        " and the model's heads; lmtrain layouts lists those that do"));
}

RunPlan plan_run(const PlanQuestion& question, const LayoutPlan& layout, const PartTimes& times,
                 const MachinePower& power) {
  const Config& config = question.config;
  RunPlan plan;
  plan.layout = layout;
  plan.times = times;
  plan.power = power;
  const int64_t steps = config.train.steps;
  plan.tokens = steps * config.train.global_batch_size * config.data.sequence_length;
  ModelConfig model = config.model;
  model.vocab_size = question.vocab_size;
  const double targets = model.traits().predicts_next_token() ? 1.0 : config.data.masking.fraction;
  const auto declared =
      declared_parameters(model, question.vocab_size, /*tensor=*/1, trained_parameters(config));
  plan.flops =
      static_cast<double>(plan.tokens) *
      training_flops_per_token(model, products_of(*declared), config.data.sequence_length, targets);
  // One at the beginning, one at the end.
  plan.num_validations = 2 + times_in(steps, config.eval.interval);
  plan.num_saves = 1 + times_in(steps, config.checkpoint.interval.value_or(0));

  PlannedRun& run = plan.run;
  run.seconds = times.step * static_cast<double>(steps) +
                times.validation * static_cast<double>(plan.num_validations) +
                times.save_stall * static_cast<double>(plan.num_saves) + times.ends;
  const int64_t per_node = std::max<int64_t>(1, question.machine.ranks_per_node);
  run.num_nodes = (question.num_ranks + per_node - 1) / per_node;
  run.num_devices = question.machine.on_cpu ? 0 : question.num_ranks;
  // Ranks of a node that is not full take their share of it.
  const double nodes = power.is_of_all_nodes     ? 1.0
                       : question.machine.on_cpu ? static_cast<double>(run.num_nodes)
                                                 : static_cast<double>(question.num_ranks) /
                                                       static_cast<double>(per_node);
  run.watts = power.watts * nodes;
  plan.idle_watts = power.idle_watts * nodes;
  run.device = question.device;
  run.price = question.price;
  run.series = question.series;
  run.begins = question.begins;
  plan.energy = plan_energy(run, config.energy, config.report);
  return plan;
}

PlanFactors RunPlan::factors() const {
  return {.source = times.source,
          .made = utc_now(),
          .flops = flops,
          .step_seconds = times.step.value,
          .hours = run.seconds.value / 3600,
          .watts = run.watts.value,
          .kwh = energy.kwh.value,
          .kwh_low = energy.kwh.low,
          .kwh_high = energy.kwh.high,
          .pue = run.price.pue,
          .g_per_kwh = energy.grid.g_per_kwh,
          .kg_co2e = energy.kg_co2e.value,
          .money = energy.money};
}

}  // namespace lmtrain
