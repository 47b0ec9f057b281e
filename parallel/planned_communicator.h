// A group that is only planned. With it, what a model declares on a rank can be counted before
// there are any ranks.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lmtrain {

// Makes rank 0 of a group of `size` ranks. Every operation throws std::logic_error.
std::unique_ptr<Communicator> make_planned_communicator(int size);

}  // namespace lmtrain
