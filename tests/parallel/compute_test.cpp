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

// Defect: nine seconds at each start for a type that the processor does not compute in (bf16 on
// AVX2).
TEST(MatmulCeiling, IsMeasuredInAShortTimeWhateverTheSpeed) {
  const auto size_at = [](double flops) {
    return size_to_measure([&](int64_t n) {
      const auto side = static_cast<double>(n);
      return 2 * side * side * side / flops;
    });
  };
  EXPECT_EQ(size_at(1e12), 1024);
  EXPECT_EQ(size_at(100e9), 1024);
  EXPECT_EQ(size_at(1e9), 256);  // a product of 1024 would take two seconds
  EXPECT_EQ(size_at(1e6), 128);
}

}  // namespace
}  // namespace lmtrain
