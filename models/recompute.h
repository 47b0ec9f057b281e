// Activation recomputation (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016):
// backward computes again what it would otherwise keep.
#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Returns compute(x). `compute` must give the same bits each time; dropout does, because it is a
// function of its place. `compute` is kept until backward.
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> compute);

}  // namespace lmtrain
