// Tests that need a GPU: without one they are skipped as a whole, with exit code 77.
#include <cstdio>

#include <c10/cuda/CUDAFunctions.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (c10::cuda::device_count() > 0) return RUN_ALL_TESTS();
  std::puts("skipped: no GPU is visible");
  return 77;
}
