// How fast ranks reach one another, measured.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"

namespace lmtrain {

struct LinkSpeed {
  double latency_seconds = 0;   // of a message of 8 bytes, one way
  double bytes_per_second = 0;  // of large messages, one way
};

// Collective over `world`, whose tensors are on the CPU. Ranks `a` and `b` send each other messages
// while the others wait; each message is twice as large as the last, until one takes a fifth of a
// second. All ranks get the result.
LinkSpeed measure_link(Communicator& world, int a, int b);

// Collective. Seconds of an all_reduce of `tensor`, the median of several.
double measure_all_reduce(Communicator& group, const at::Tensor& tensor);

}  // namespace lmtrain
