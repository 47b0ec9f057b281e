// The gradient norm over all parameters, for clipping.
#pragma once

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Returns the Euclidean norm of all reduced gradients, summed in double precision. Collective over
// both axes, whose groups must be those for CPU tensors. Squares are summed within each parameter
// and then over the parameters in order; on a GPU with a tensor axis of size 1, within each unit
// and then over the units. All ranks get the same bits for any number of threads, and on the CPU
// also for any sharding over the data axis.
double gradient_norm(const ParameterStore& store, Communicator& host_data,
                     Communicator& host_tensor);

}  // namespace lmtrain
