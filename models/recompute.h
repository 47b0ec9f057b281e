// Activation recomputation (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016):
// what `compute` would keep for backward is computed again there.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// compute(x), a function of one tensor that gives the same bits each time: dropout is a function of
// its place. `compute` is kept until backward.
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> compute);

}  // namespace lmtrain
