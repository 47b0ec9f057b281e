#include "models/kernels/cross_entropy.h"

#include "models/kernels/cross_entropy_isa.h"

namespace lmtrain {

const CrossEntropyKernels& cross_entropy_kernels() {
  static const CrossEntropyKernels& chosen = []() -> const CrossEntropyKernels& {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return avx512_cross_entropy();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_cross_entropy();
    return baseline_cross_entropy();
  }();
  return chosen;
}

}  // namespace lmtrain
