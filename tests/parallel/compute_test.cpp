#include "parallel/compute.h"

#include <thread>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a ceiling that was measured with more threads than cores, of which a run then reaches 150
// to 400%.
TEST(MatmulCeiling, IsNotBelievedWithMoreThreadsThanCores) {
  const int before = at::get_num_threads();
  at::set_num_threads(4 * static_cast<int>(std::thread::hardware_concurrency()));
  const MatmulCeiling crowded = measure_matmul_ceiling(at::kFloat, at::kCPU);
  at::set_num_threads(before);
  EXPECT_GT(crowded.flops, 0);
  EXPECT_FALSE(crowded.is_believed);
}

}  // namespace
}  // namespace lmtrain
