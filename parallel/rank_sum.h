// The arithmetic of reductions on the MPI path.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"

namespace lmtrain {

// Sets output[i] = parts[0][i] op parts[1][i] op ... in that order; bf16 is summed in fp32 and
// rounded once. `output` may be one of the parts. Types: fp32, fp64, bf16, int64.
void rank_reduce(at::ScalarType type, ReduceOp op, const std::vector<const void*>& parts,
                 int64_t count, void* output);

}  // namespace lmtrain
