// The NCCL back end for CUDA tensors. Operations run on a stream of the communicator's own, which
// events order with the caller's stream. An operation keeps its tensors until it is waited for.
//
// The host never waits for an operation, but elsewhere it waits for the device. After a failure of
// another rank that wait would last for ever, so a thread asks NCCL for failures every second.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lmtrain {

// Makes a group of all ranks of `host`, whose broadcast carries NCCL's id. Each rank must have a
// GPU of its own (NCCL refuses two ranks on one). Destroy the group before MPI_Finalize.
// `on_failure` is called on a thread of its own when NCCL reports a failure of this group or one
// split from it. It must end the process: nothing else frees a thread that waits for the device.
std::unique_ptr<Communicator> make_nccl_communicator(
    Communicator& host, int device_index, std::function<void(const std::string&)> on_failure);

}  // namespace lmtrain
