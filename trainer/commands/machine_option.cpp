#include "trainer/commands/machine_option.h"

#include <vector>

#include <ATen/Parallel.h>

#include "base/machine_memory.h"
#include "base/text.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "trainer/planning/choose_precision.h"

namespace lmtrain {
namespace {

void use_all_cores() { at::set_num_threads(static_cast<int>(job_cores().size())); }

}  // namespace

void add_machine_option(CLI::App* app, std::string& machine) {
  std::vector<std::string> names = known_machines();
  names.insert(names.begin(), kThisNode);
  app->add_option("--machine", machine,
                  cat("What the ranks run on: ", join(names, ", "), " (", kThisNode,
                      " is this node's cores)"))
      ->check(CLI::IsMember(names))
      ->capture_default_str();
}

Synonyms machine_words() {
  return {{"gpu", "device", "hardware", "accelerator"}, {"--machine"}, ""};
}
Synonyms ranks_words() {
  return {{"n", "np", "num_ranks", "world_size", "gpus", "num_gpus"}, {"--ranks"}, ""};
}

Precision resolved_precision(const std::string& machine, Precision precision) {
  if (precision != Precision::kAuto) return precision;
  if (machine != kThisNode) return Precision::kBf16;
  use_all_cores();
  return faster_precision(at::kCPU);
}

MachineSpec machine_of(const std::string& machine, const Config& config, int64_t num_ranks) {
  if (machine != kThisNode) return known_machine(machine);
  use_all_cores();
  return cores_of_node(
      measure_matmul_ceiling(compute_type_of(config.train.precision), at::kCPU).flops,
      available_memory().bytes, num_ranks);
}

}  // namespace lmtrain
