// What a rank computes with: its cores, threads and device, and how fast that is at its best.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/device.h"
#include "parallel/launch.h"
#include "parallel/parallel_config.h"

namespace lmtrain {

struct Compute {
  RankDevice device;
  std::vector<int> cores;
  int num_threads = 1;
};

// Takes this rank's share of the job's cores, binds to it, sets LibTorch's threads, and makes
// arithmetic deterministic. Once per process, before the first tensor is made. Collective. Throws
// CollectiveError when a rank cannot have the device that the config wants.
Compute set_up_compute(const ParallelConfig& config, Launch& launch);

// Floating-point operations per second of large matrix products of this type, on this rank, while
// others do the same.
double measure_matmul_flops(at::ScalarType type, at::Device device);

}  // namespace lmtrain
