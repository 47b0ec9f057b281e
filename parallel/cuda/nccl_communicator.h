// NCCL back end for CUDA tensors. Operations run on a stream of the communicator's own, ordered
// with the caller's stream by events; tensors in use are recorded on it, so that the allocator does
// not hand them out again.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lmtrain {

// All ranks of `host`, whose broadcast carries NCCL's id; each rank on a GPU of its own (NCCL
// refuses two on one). Destroy before MPI_Finalize.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, int device_index);

}  // namespace lmtrain
