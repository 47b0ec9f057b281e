#include "models/cuda_kernels.h"

#include <c10/util/Exception.h>

namespace lmtrain {
namespace {
[[noreturn]] void never() { TORCH_CHECK(false, "a CUDA tensor in a build without CUDA"); }
}  // namespace

at::Tensor cuda_dropout(const at::Tensor&, const DropoutSite&) { never(); }
SoftmaxStatistics cuda_softmax_statistics(const at::Tensor&, int64_t) { never(); }
void cuda_loss_gradient_in_place(const at::Tensor&, int64_t, const at::Tensor&, const at::Tensor&,
                                 const at::Tensor&, const at::Tensor&) {
  never();
}
at::Tensor cuda_sum_of_rows(const at::Tensor&) { never(); }
NormGradients cuda_norm_gradients(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                  const at::Tensor&) {
  never();
}

}  // namespace lmtrain
