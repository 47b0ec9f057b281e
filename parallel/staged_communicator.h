// Collectives of CUDA tensors over a group that moves CPU tensors: each operation copies to pinned
// host memory, and its wait() copies the result back. This is slower than NCCL, but ranks may share
// a GPU.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lmtrain {

// `host` must outlive the result, which takes tensors of any device.
std::unique_ptr<Communicator> make_staged_communicator(Communicator& host);

}  // namespace lmtrain
