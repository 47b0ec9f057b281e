#include "trainer/step/orthogonalize.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// The polynomial a x + b x^3 + c x^5, steep at zero.
constexpr double kA = 3.4445;
constexpr double kB = -4.7750;
constexpr double kC = 2.0315;
constexpr double kEps = 1e-7;  // least norm that is divided by

}  // namespace

at::Tensor orthogonalized(const at::Tensor& matrix, int64_t num_steps, at::ScalarType type) {
  const bool is_tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = matrix.to(type, /*non_blocking=*/false, /*copy=*/true);
  if (is_tall) x = x.t();  // the smaller one of both products
  x.div_(x.norm().clamp_min(kEps));
  for (int64_t step = 0; step < num_steps; ++step) {
    const at::Tensor gram = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, kB, kC), x, kA);
  }
  return is_tall ? x.t() : x;
}

// Of each step: x x^T and the product with x, and the square of x x^T between them.
double orthogonalize_flops(int64_t rows, int64_t columns, int64_t num_steps) {
  const auto small = static_cast<double>(std::min(rows, columns));
  const auto large = static_cast<double>(std::max(rows, columns));
  return static_cast<double>(num_steps) * 2.0 * small * small * (2.0 * large + small);
}

}  // namespace lmtrain
