// Norms over all parameters, for clipping and for finding non-finite values.
#pragma once

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Whether every master weight of this rank is finite.
bool weights_are_finite(const ParameterStore& store);

// Collective over the two axes, groups for CPU tensors. Euclidean norm of all reduced gradients,
// summed in double precision. Squares are added up within each parameter and then over the
// parameters in their order; on a GPU, where the tensor axis cuts none, within each unit and then
// over the units. All ranks get the same bits, whatever their threads, and on the CPU whatever is
// sharded over the data axis.
double gradient_norm(const ParameterStore& store, Communicator& host_data,
                     Communicator& host_tensor);

}  // namespace lmtrain
