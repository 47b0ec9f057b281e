#include "trainer/planning/machine_spec.h"

#include "base/error.h"
#include "base/text.h"
#include "energy/accelerators.h"

namespace lmtrain {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Memory and links from NVIDIA's data sheets (A100 80GB SXM, H100 SXM, H200 SXM); networks as in
// DGX systems, one adapter a GPU. The share of peak is what Megatron-LM reports for models of this
// size on H100 (41 to 48 percent).
struct Links {
  const char* name;  // of an accelerator of energy/accelerators.h; its peak stands there
  double memory_gib;
  double memory_bandwidth;
  double node_bandwidth;
  double network_bandwidth;
  double host_watts;  // a DGX system's largest power less that of its 8 accelerators
};
constexpr Links kMachines[] = {
    {"a100", 79.2, 2.0e12, 300e9, 25e9, 3300},
    {"h100", 79.2, 3.35e12, 450e9, 50e9, 4600},
    {"h200", 139.8, 4.8e12, 450e9, 50e9, 4600},
};
// A GPU of another kind: GDDR6 as in an L40S, PCI Express 4.0 x16, 100 Gbit/s of network.
constexpr Links kCardOnPcie = {"pcie", 0, 0.86e12, 32e9, 12.5e9, 0};
constexpr double kShareOfPeak = 0.45;
// A CPU rank's share of memory, and of what goes through shared memory (docs/parallel.md).
constexpr double kNodeMemoryBandwidth = 40e9;
constexpr double kSharedMemoryBandwidth = 2.5e9;

MachineSpec machine_of(const Links& links, const std::string& description) {
  const Accelerator* const accelerator = find_accelerator(links.name);
  return {.description = description,
          .peak_flops = accelerator != nullptr ? accelerator->peak_flops : 0,
          .memory_bandwidth = links.memory_bandwidth,
          .node_bandwidth = links.node_bandwidth,
          .network_bandwidth = links.network_bandwidth,
          .on_cpu = false,
          .accelerator_watts = accelerator != nullptr ? accelerator->watts : 0,
          .host_watts = links.host_watts};
}

}  // namespace

std::vector<std::string> known_machines() {
  std::vector<std::string> names;
  for (const Links& links : kMachines) names.emplace_back(links.name);
  return names;
}

MachineSpec known_machine(const std::string& name) {
  for (const Links& links : kMachines) {
    if (name != links.name) continue;
    MachineSpec machine = machine_of(links, cat(name, ", 8 a node"));
    machine.memory_bytes = static_cast<int64_t>(links.memory_gib * kGiB);
    machine.ranks_per_node = 8;
    machine.flops = kShareOfPeak * machine.peak_flops;
    return machine;
  }
  throw ConfigError(cat("--machine ", name, " is not one of ", join(known_machines(), ", ")));
}

MachineSpec machine_of_gpu(const std::string& device_name) {
  const Accelerator* const accelerator = find_accelerator(device_name);
  for (const Links& links : kMachines) {
    if (accelerator != nullptr && accelerator->name == links.name)
      return machine_of(links, device_name);
  }
  return machine_of(kCardOnPcie, device_name);
}

MachineSpec cores_of_node(double matmul_flops, int64_t memory_bytes, int64_t num_ranks) {
  const auto ranks = static_cast<double>(num_ranks);
  return {.description = cat("this node's cores, ", fixed(matmul_flops / 1e9, 0), " GFLOP/s and ",
                             human_bytes(memory_bytes), " in all"),
          .memory_bytes = memory_bytes / num_ranks,
          .ranks_per_node = num_ranks,
          .flops = kShareOfProducts * matmul_flops / ranks,
          .memory_bandwidth = kNodeMemoryBandwidth / ranks,
          .node_bandwidth = kSharedMemoryBandwidth,
          .network_bandwidth = kSharedMemoryBandwidth,
          .on_cpu = true};
}

}  // namespace lmtrain
