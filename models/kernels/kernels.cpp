#include "models/kernels/kernels.h"

#include "models/kernels/kernels_isa.h"

namespace lmtrain {

const CpuKernels& cpu_kernels() {
  static const CpuKernels& chosen = []() -> const CpuKernels& {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
      return avx512_kernels();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_kernels();
    return baseline_kernels();
  }();
  return chosen;
}

}  // namespace lmtrain
