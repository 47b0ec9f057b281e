// The kernels of each instruction set.
#pragma once

#include "models/kernels/kernels.h"

namespace lmtrain {

const CpuKernels& baseline_kernels();  // what every x86-64 has
const CpuKernels& avx2_kernels();
const CpuKernels& avx512_kernels();

}  // namespace lmtrain
