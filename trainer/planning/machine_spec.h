// What layouts are reckoned for: accelerators by name, the GPU of this rank, the cores of a node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lmtrain {

// What the ranks compute with.
struct MachineSpec {
  std::string description;
  int64_t memory_bytes = 0;  // of a rank
  int64_t ranks_per_node = 1;
  double flops = 0;              // of a rank's matrix products in a training step, a second
  double peak_flops = 0;         // of a rank in bf16, by its data sheet, a second; 0: not known
  double memory_bandwidth = 0;   // of a rank, bytes a second
  double node_bandwidth = 0;     // sent by a rank to others of its node, bytes a second
  double network_bandwidth = 0;  // to other nodes
  bool on_cpu = true;
  double accelerator_watts = 0;  // design power of one accelerator
  double host_watts = 0;         // of the rest of a node, at most, by its data sheet
};

// Accelerators by name: "a100", "h100", "h200", with data sheets' memory and links and the share of
// peak that well-tuned trainers reach.
std::vector<std::string> known_machines();
MachineSpec known_machine(const std::string& name);
// A rank's GPU by the name that the driver gives it, such as "NVIDIA A100-SXM4-80GB": memory
// bandwidth and links of the kind of that name. Those of PCI Express and kinds that are not known
// here get what any card on PCI Express 4.0 has. Flops, memory and ranks a node are the caller's.
MachineSpec machine_of_gpu(const std::string& device_name);
// Cores of one node: `matmul_flops` is what all of its ranks reach together, `memory_bytes` what
// they have together.
MachineSpec cores_of_node(double matmul_flops, int64_t memory_bytes, int64_t num_ranks);

// Of large products alone, what a training step reaches (docs/performance.md).
inline constexpr double kShareOfProducts = 0.7;

}  // namespace lmtrain
