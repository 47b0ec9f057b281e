// What a rank computes with (its cores, threads and device), and how fast that is at its best.
#pragma once

#include <cstdint>
#include <functional>
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

// Collective. Binds this rank to its share of the job's cores, sets LibTorch's threads, and makes
// arithmetic deterministic. To be called once per process, before the first tensor is made. Throws
// CollectiveError when a rank cannot have the device that the config wants.
Compute set_up_compute(const ParallelConfig& config, Launch& launch);

// From now on the calling thread computes alone. For threads that work beside the training's.
void compute_on_one_thread();

// Floating-point operations per second of large matrix products.
struct MatmulCeiling {
  double flops = 0;
  // Whether the threads kept their cores busy while it was measured. Otherwise the machine does
  // other work too or has fewer cores than threads, and the true ceiling is higher; or the library
  // computes products of this type on fewer threads.
  bool is_believed = true;
};
// The size of square products to measure a CPU by: as large as a measurement of about a second
// allows. A product of a type that the processor does not compute in takes a hundred times longer.
// `seconds_of` times one product of a size.
int64_t size_to_measure(const std::function<double(int64_t)>& seconds_of);
// Measures the ceiling of this type on this rank, while the other ranks do the same; up to three
// times where it is not believed.
MatmulCeiling measure_matmul_ceiling(at::ScalarType type, at::Device device);

}  // namespace lmtrain
