#include "trainer/planning/machine_spec.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// Dense bf16 peak, memory and links from NVIDIA's data sheets (A100 80GB SXM, H100 SXM, H200 SXM);
// networks as in DGX systems, one adapter a GPU. The share of peak is what Megatron-LM reports for
// models of this size on H100 (41 to 48 percent).
struct Accelerator {
  const char* name;
  double peak_flops;
  double memory_gib;
  double memory_bandwidth;
  double node_bandwidth;
  double network_bandwidth;
};
constexpr Accelerator kAccelerators[] = {
    {"a100", 312e12, 79.2, 2.0e12, 300e9, 25e9},
    {"h100", 989e12, 79.2, 3.35e12, 450e9, 50e9},
    {"h200", 989e12, 139.8, 4.8e12, 450e9, 50e9},
};
// A GPU of another kind: GDDR6 as in an L40S, PCI Express 4.0 x16, 100 Gbit/s of network.
constexpr Accelerator kCardOnPcie = {"pcie", 0, 0, 0.86e12, 32e9, 12.5e9};
constexpr double kShareOfPeak = 0.45;
// A CPU rank's share of memory, and of what goes through shared memory (docs/parallel.md).
constexpr double kNodeMemoryBandwidth = 40e9;
constexpr double kSharedMemoryBandwidth = 2.5e9;

MachineSpec machine_of(const Accelerator& a, const std::string& description) {
  return {.description = description,
          .peak_flops = a.peak_flops,
          .memory_bandwidth = a.memory_bandwidth,
          .node_bandwidth = a.node_bandwidth,
          .network_bandwidth = a.network_bandwidth,
          .on_cpu = false};
}

// Letters and digits that stand together, in lower case.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words = {""};
  for (const char letter : in_lower_case(text)) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0) {
      words.back() += letter;
    } else {
      words.emplace_back();
    }
  }
  return words;
}

}  // namespace

std::vector<std::string> known_machines() {
  std::vector<std::string> names;
  for (const Accelerator& accelerator : kAccelerators) names.emplace_back(accelerator.name);
  return names;
}

MachineSpec known_machine(const std::string& name) {
  for (const Accelerator& a : kAccelerators) {
    if (name != a.name) continue;
    MachineSpec machine = machine_of(a, cat(a.name, ", 8 a node"));
    machine.memory_bytes = static_cast<int64_t>(a.memory_gib * kGiB);
    machine.ranks_per_node = 8;
    machine.flops = kShareOfPeak * a.peak_flops;
    return machine;
  }
  throw ConfigError(cat("--machine ", name, " is not one of ", join(known_machines(), ", ")));
}

MachineSpec machine_of_gpu(const std::string& device_name) {
  const std::vector<std::string> words = words_of(device_name);
  const auto has = [&](const char* word) { return std::ranges::find(words, word) != words.end(); };
  for (const Accelerator& a : kAccelerators) {
    if (has(a.name) && !has("pcie")) return machine_of(a, device_name);
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
