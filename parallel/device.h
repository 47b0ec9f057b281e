// Where a rank's tensors live, and what moves them. Implemented twice, chosen by CMake:
// parallel/cuda for builds with CUDA and NCCL, parallel/cpu_only for the others.
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
  std::optional<int64_t> free_memory_bytes;  // of the GPU, for this rank
  bool is_shared = false;                    // with other ranks, as note_sharing found
};

// The node's ranks take its GPUs in turn, and share them where there are more ranks. Throws
// ConfigError when a GPU is wanted and cannot be had.
RankDevice choose_device(DeviceChoice wanted, const Launch& launch);

// Collective. Finds out which ranks of the node are on the same GPU, whatever number it has in each
// of them. Such ranks share its memory.
void note_sharing(RankDevice& device, Launch& launch);

// A communicator for tensors on that device, with the same back end on all ranks. Null for the CPU,
// whose tensors the host's group moves.
std::unique_ptr<Communicator> make_device_communicator(Launch& launch, const RankDevice& device,
                                                       Transport transport);

// The most bytes that this process's tensors had at once on a GPU.
int64_t peak_tensor_bytes(at::Device gpu);

// Lines for `lmtrain doctor` and --version: the GPUs, the driver, NCCL, or why there are none.
std::vector<std::string> describe_accelerators();

}  // namespace lmtrain
