#include "parallel/parameter_kernels.h"

#include <c10/util/Exception.h>

namespace lmtrain {
namespace {
[[noreturn]] void never() { TORCH_CHECK(false, "a CUDA tensor in a build without CUDA"); }
}  // namespace

void cuda_add_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&) { never(); }
at::Tensor cuda_sum_of_squares(const at::Tensor&) { never(); }

}  // namespace lmtrain
