// Which instructions the kernels of this process use.
#pragma once

#include <string>

namespace lmtrain {

// "AVX512, avx512, bf16": the instruction sets of LibTorch's kernels and of the project's own, and
// whether bf16 attention takes the blocked kernel. Another set gives other last bits.
std::string cpu_capability();

}  // namespace lmtrain
