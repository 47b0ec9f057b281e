// The device that a test of models computes on: the same sources make a program for the CPU and,
// in builds with CUDA, one for GPUs (label gpu).
#pragma once

#include <c10/core/Device.h>

namespace lmtrain {

#ifdef LMTRAIN_TEST_ON_CUDA
inline const at::Device kTestDevice{at::kCUDA, 0};
#else
inline const at::Device kTestDevice{at::kCPU};
#endif

}  // namespace lmtrain
