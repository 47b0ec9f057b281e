// This file is compiled once per instruction set. LMTRAIN_ISA names the function that returns the
// kernels of the set.
#include "models/kernels/kernels_isa.h"

#include "models/kernels/attention_kernels.h"
#include "models/kernels/cross_entropy_kernels.h"
#include "models/kernels/decoding_kernels.h"
#include "models/kernels/gelu_kernels.h"
#include "models/kernels/row_sum_kernels.h"

namespace lmtrain {
namespace {

constexpr CpuKernels kKernels = {LMTRAIN_ISA_NAME, kCrossEntropy, kGelu,
                                 kRowSum,          kAttention,    kDecoding};

}  // namespace

const CpuKernels& LMTRAIN_ISA() { return kKernels; }

}  // namespace lmtrain
