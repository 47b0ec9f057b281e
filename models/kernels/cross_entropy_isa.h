// The same kernels, one set per instruction set (cross_entropy_isa.cpp is compiled for each).
#pragma once

#include "models/kernels/cross_entropy.h"

namespace lmtrain {

const CrossEntropyKernels& baseline_cross_entropy();  // what every x86-64 has
const CrossEntropyKernels& avx2_cross_entropy();
const CrossEntropyKernels& avx512_cross_entropy();

}  // namespace lmtrain
