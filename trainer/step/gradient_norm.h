// Norms over all parameters, for clipping and for finding numbers that are none.
#pragma once

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Whether every master weight of this rank is a number.
bool weights_are_finite(const ParameterStore& store);

// Collective over the two axes, groups for CPU tensors. Euclidean norm of all reduced gradients,
// summed in double precision per logical tensor and then in the order of the parameters: the same
// bits on all ranks, whatever the threads, and on the CPU whatever is sharded over the data axis.
double gradient_norm(const ParameterStore& store, Communicator& host_data,
                     Communicator& host_tensor);

}  // namespace lmtrain
