// layouts: what a config could run in.
#include <algorithm>
#include <iostream>

#include <ATen/Parallel.h>

#include "base/error.h"
#include "base/machine_memory.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "parallel/precision.h"
#include "trainer/commands/commands.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {

void command_layouts(const std::string& path, const std::vector<std::string>& overrides,
                     int64_t num_ranks, const std::string& machine_name, size_t most) {
  LoadedConfig loaded = load_config(path, overrides);
  const auto initial = adopt_initial_model(loaded);
  const Config& config = loaded.config;
  if (const auto problem = find_problem(config.model))
    throw ConfigError(cat(loaded.name, ": ", problem->text));
  const int64_t vocab_size =
      std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  MachineSpec machine;
  if (machine_name == "cpu") {
    at::set_num_threads(static_cast<int>(job_cores().size()));
    machine = cores_of_node(measure_matmul_flops(compute_type_of(config.train.precision), at::kCPU),
                            available_memory().bytes, num_ranks);
  } else {
    machine = known_machine(machine_name);
  }
  const std::vector<LayoutPlan> plans = plan_layouts(config, vocab_size, num_ranks, machine);
  if (plans.empty()) {
    throw ConfigError(cat(
        loaded.name, ": no layout of ", num_ranks,
        " ranks divides train.global_batch_size = ", config.train.global_batch_size,
        ", train.micro_batch_size = ", config.train.micro_batch_size, " and the model's heads"));
  }
  const auto fitting =
      std::count_if(plans.begin(), plans.end(), [](const LayoutPlan& p) { return p.fits; });
  std::cout << loaded.name << ": " << config.model.kind << " of "
            << with_commas(sizes_of(config.model, vocab_size).num_parameters) << " parameters, "
            << config.train.global_batch_size << " sequences of " << config.data.sequence_length
            << " tokens a step in micro-batches of " << config.train.micro_batch_size << ", "
            << config.train.precision << "\n"
            << num_ranks << " ranks on " << machine.description << "; each has "
            << human_bytes(machine.memory_bytes) << ", computes " << fixed(machine.flops / 1e9, 0)
            << " GFLOP/s in a step and sends " << fixed(machine.node_bandwidth / 1e9, 1)
            << " GB/s\n"
            << fitting << " of " << plans.size() << " layouts fit"
            << (fitting == 0 ? "; those of least memory first" : "; the fastest first")
            << " (estimates; sent: over data axis + over tensor axis)\n\n"
            << layout_table(plans, most);
  if (fitting == 0)
    std::cout << "\n! does not fit; lower train.micro_batch_size or take more ranks\n";
}

}  // namespace lmtrain
