// NCCL back end for CUDA tensors. Operations run on a stream of the communicator's own, ordered
// with the caller's stream by events; an operation keeps its tensors until it is waited for.
//
// The host does not wait for operations, and waits for the device elsewhere: where another rank has
// failed, for ever. So a thread asks NCCL every second.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lmtrain {

// All ranks of `host`, whose broadcast carries NCCL's id; each rank on a GPU of its own (NCCL
// refuses two on one). Destroy before MPI_Finalize. `on_failure` is called on a thread of its own
// when NCCL tells of a failure, of this group or one split from it; it must end the process, which
// alone frees a thread that waits for the device.
std::unique_ptr<Communicator> make_nccl_communicator(
    Communicator& host, int device_index, std::function<void(const std::string&)> on_failure);

}  // namespace lmtrain
