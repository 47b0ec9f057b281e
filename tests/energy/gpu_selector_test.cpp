#include "energy/meters/gpu_selector.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: CUDA_VISIBLE_DEVICES ignored, so that the wrong GPU is metered.
TEST(GpuSelector, FollowsCudaVisibleDevices) {
  EXPECT_EQ(gpu_selector(std::nullopt, 3), "3");
  EXPECT_EQ(gpu_selector("2,GPU-aaaa-1", 0), "2");
  EXPECT_EQ(gpu_selector("2,GPU-aaaa-1", 1), "GPU-aaaa-1");
  EXPECT_EQ(gpu_selector("0,-1,2", 2), "");
  EXPECT_EQ(gpu_selector("", 0), "");
}

// Defect: HIP_VISIBLE_DEVICES applied to all GPUs of the node where ROCR_VISIBLE_DEVICES has left
// some of them, so that another job's card is metered.
TEST(GpuSelector, FollowsRocrAndHipVisibleDevices) {
  EXPECT_EQ(amd_gpu_selector(std::nullopt, std::nullopt, 3), "amd:3");
  EXPECT_EQ(amd_gpu_selector(std::nullopt, "2,0", 0), "amd:2");
  EXPECT_EQ(amd_gpu_selector("4,5,GPU-0123456789abcdef", "2,1", 0), "amd:GPU-0123456789abcdef");
  EXPECT_EQ(amd_gpu_selector("4,5,6", "2,1", 1), "amd:5");
  EXPECT_EQ(amd_gpu_selector("4,5", "GPU-0123456789abcdef", 0), "amd:GPU-0123456789abcdef");
  EXPECT_EQ(amd_gpu_selector("4,5", "2", 0), "");
  EXPECT_EQ(amd_gpu_selector("", std::nullopt, 0), "");
}

}  // namespace
}  // namespace lmtrain
