// A group that is only planned: what a model declares on a rank of it can be counted before there
// are any ranks.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lmtrain {

// Rank 0 of `size` ranks. Every operation throws std::logic_error.
std::unique_ptr<Communicator> make_planned_communicator(int size);

}  // namespace lmtrain
