// Where a rank's tensors live, and what moves them. There are two implementations, and CMake
// chooses: parallel/cuda for builds with CUDA and NCCL, parallel/cpu_only for the others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "parallel/communicator.h"
#include "parallel/launch.h"
#include "parallel/parallel_config.h"

namespace lmtrain {

struct RankDevice {
  at::Device device = at::kCPU;
  std::string description;                   // "CPU", "NVIDIA H100 80GB HBM3"
  std::string gpu_selector;                  // the GPU's UUID; "" on the CPU
  std::optional<int64_t> free_memory_bytes;  // the share of the GPU's memory for this rank
  bool is_shared = false;                    // with other ranks, as note_sharing found
};

// Gives the node's GPUs to its ranks in turn; ranks share GPUs where there are more ranks than
// GPUs. Throws ConfigError when a GPU is wanted and cannot be had.
RankDevice choose_device(DeviceChoice wanted, const Launch& launch);

// Collective. Finds out which ranks of the node are on the same GPU, whatever number the GPU has in
// each of them. Such ranks share its memory.
void note_sharing(RankDevice& device, Launch& launch);

// Makes a communicator for tensors on that device, with the same back end on all ranks. Returns
// null for the CPU, whose tensors the host's group moves.
std::unique_ptr<Communicator> make_device_communicator(Launch& launch, const RankDevice& device,
                                                       Transport transport);

// Returns the most bytes that this process's tensors had at once on a GPU.
int64_t peak_tensor_bytes(at::Device gpu);

// Gives back to the system the memory that no tensor uses.
void release_unused_memory(at::Device device);

// Returns lines for `lmtrain doctor` and --version: the GPUs, the driver and NCCL, or why there are
// none.
std::vector<std::string> describe_accelerators();

}  // namespace lmtrain
