#include "trainer/planning/choose_layout.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/machine_memory.h"
#include "base/text.h"
#include "parallel/precision.h"
#include "parallel/typed_gather.h"
#include "trainer/planning/layouts.h"

namespace lmtrain {
namespace {

// A key of the layout that is set beside parallel.layout = auto would be ignored, so it is refused;
// only a file's keys may be overridden by parallel.layout on the command line.
void check_no_layout_key(const LoadedConfig& loaded) {
  const std::string of_layout = loaded.positions.at("parallel.layout");
  for (const char* key :
       {"parallel.tensor", "parallel.sequence", "parallel.zero", "parallel.recompute"}) {
    const std::string place = loaded.positions.at(key);
    const bool gives_way = place != "command line" && of_layout == "command line";
    if (!loaded.positions.is_set(key) || gives_way) continue;
    throw ConfigError(cat(place, ": ", key, " is given, but parallel.layout = auto chooses it (",
                          of_layout, "); leave one of the two out"));
  }
}

MachineSpec machine_of(const Compute& compute, const Config& config, const Launch& launch) {
  const double flops =
      measure_matmul_ceiling(compute_type_of(config.train.precision), compute.device.device).flops;
  const int64_t ranks_on_node = launch.local_size();
  if (compute.device.device.is_cpu()) {
    return cores_of_node(flops * static_cast<double>(ranks_on_node), available_memory().bytes,
                         ranks_on_node);
  }
  MachineSpec machine = machine_of_gpu(compute.device.description);
  machine.flops = kShareOfProducts * flops;
  machine.memory_bytes = compute.device.free_memory_bytes.value_or(0);
  machine.ranks_per_node = ranks_on_node;
  return machine;
}

// What rank 0 tells the others (broadcast_from).
struct ChosenLayout {
  int64_t tensor = 1;
  int64_t sequence = 0;
  int64_t zero = 0;
  int64_t recompute = 0;
};

LayoutPlan best_plan(const LoadedConfig& loaded, const Compute& compute, const Launch& launch) {
  const Config& config = loaded.config;
  const int64_t vocab_size = planned_vocab_size(config);
  const std::vector<LayoutPlan> plans =
      plan_layouts(config, vocab_size, launch.size(), machine_of(compute, config, launch));
  const std::string place = loaded.positions.at("parallel.layout");
  if (plans.empty()) {
    throw ConfigError(cat(place, ": parallel.layout = auto finds no layout of ", launch.size(),
                          " ranks that divides train.global_batch_size = ",
                          config.train.global_batch_size, " and the model's heads"));
  }
  if (!plans[0].fits) {
    throw ConfigError(cat(place,
                          ": parallel.layout = auto finds no layout that fits; the smallest "
                          "takes ",
                          human_bytes(plans[0].memory.total()),
                          " a rank. Lower train.micro_batch_size or take more ranks"));
  }
  return plans[0];
}

}  // namespace

void choose_layout(LoadedConfig& loaded, const Compute& compute, Launch& launch) {
  ParallelConfig& parallel = loaded.config.parallel;
  if (parallel.layout != LayoutMode::kAuto) return;
  ChosenLayout chosen;
  launch.together([&] {
    check_no_layout_key(loaded);
    if (launch.rank() != 0) return;
    const LayoutPlan plan = best_plan(loaded, compute, launch);
    const ParallelConfig& p = plan.parallel;
    chosen = {p.tensor, p.sequence ? 1 : 0, p.zero, static_cast<int64_t>(p.recompute)};
    log_info(cat("parallel.layout = auto: ", layout_text(p, launch.size()), "; about ",
                 human_bytes(plan.memory.total()), " a rank"));
  });
  chosen = broadcast_from(launch.world(), 0, chosen);
  parallel.layout = LayoutMode::kManual;
  parallel.tensor = chosen.tensor;
  parallel.sequence = chosen.sequence != 0;
  parallel.zero = chosen.zero;
  parallel.recompute = static_cast<Recompute>(chosen.recompute);
}

}  // namespace lmtrain
