// Which instructions the kernels of this process use.
#pragma once

#include <string>

namespace lmtrain {

// Returns text such as "AVX512, avx512, bf16": the instruction set of LibTorch's kernels, that of
// the project's own kernels, and "bf16" where bf16 attention takes the blocked kernel. Another set
// gives other last bits.
std::string cpu_capability();

}  // namespace lmtrain
