// Messages between the ranks of a group that all have something for each other.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"

namespace lmtrain {

// What one rank sends to each rank and receives from it: flat tensors of one type and device. The
// receiver names as many elements as the sender, cut into tensors alike.
struct Parcels {
  explicit Parcels(int num_ranks)
      : outgoing(static_cast<size_t>(num_ranks)), incoming(static_cast<size_t>(num_ranks)) {}

  std::vector<std::vector<at::Tensor>> outgoing;  // by receiver; this rank's own are not sent
  std::vector<std::vector<at::Tensor>> incoming;  // by sender; filled
};

// Collective. Each rank meets the others one after the other, in an order that ends also where a
// rank's messages wait for each other, as on MPI's thread and on NCCL's stream.
void exchange(Communicator& group, const Parcels& parcels);

}  // namespace lmtrain
