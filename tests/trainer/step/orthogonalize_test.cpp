#include "trainer/step/orthogonalize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// A matrix whose singular values are `values`, and the product of its singular vectors, U V^T.
struct Known {
  at::Tensor matrix;
  at::Tensor nearest;
};
Known known(const at::Tensor& values, int64_t rows, int64_t columns) {
  const int64_t rank = values.numel();
  const at::Tensor u = std::get<0>(at::linalg_qr(at::randn({rows, rank}, at::kDouble)));
  const at::Tensor v = std::get<0>(at::linalg_qr(at::randn({columns, rank}, at::kDouble)));
  return {u.mul(values).mm(v.t()), u.mm(v.t())};
}

// Defect: a polynomial that does not bring singular values to about one, that turns the singular
// vectors, or a matrix that is not put back as it was turned.
TEST(Orthogonalized, KeepsTheSingularVectorsAndMakesAllSingularValuesAboutOne) {
  at::manual_seed(1);
  for (const auto& [rows, columns] : {std::pair{12, 12}, std::pair{12, 30}, std::pair{30, 12}}) {
    const at::Tensor values = at::logspace(0, -1.5, 12, 10.0, at::kDouble);
    const Known of = known(values, rows, columns);
    for (const double scale : {1e-6, 1.0, 1e6}) {
      const at::Tensor found = orthogonalized(of.matrix * scale, 5, at::kDouble);
      ASSERT_EQ(found.sizes(), of.matrix.sizes());
      const at::Tensor singular = std::get<1>(at::linalg_svd(found, /*full_matrices=*/false));
      EXPECT_LE(singular.max().item<double>(), kLargestSingularValue);
      EXPECT_GE(singular.min().item<double>(), 0.6);
      // Symmetric and positive where the vectors are the same.
      const at::Tensor turned = of.nearest.t().mm(found);
      EXPECT_LE((turned - turned.t()).abs().max().item<double>(), 1e-9);
    }
  }
}

// Defect: a division by zero where a gradient is zero, as that of a part without any target.
TEST(Orthogonalized, LeavesAZeroMatrixZero) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16})
    EXPECT_EQ(orthogonalized(at::zeros({3, 5}), 5, type).abs().max().item<double>(), 0.0);
}

// Defect: products in a type other than the one asked for, or far too coarse ones.
TEST(Orthogonalized, ComputesInTheTypeThatIsAskedFor) {
  at::manual_seed(2);
  const at::Tensor matrix = at::randn({16, 24}, at::kDouble);
  const at::Tensor exact = orthogonalized(matrix, 5, at::kDouble);
  const auto error = [&](at::ScalarType type) {
    const at::Tensor found = orthogonalized(matrix, 5, type);
    EXPECT_EQ(found.scalar_type(), type);
    return (found.to(at::kDouble) - exact).abs().max().item<double>();
  };
  EXPECT_LE(error(at::kFloat), 1e-4);
  EXPECT_GT(error(at::kFloat), 1e-9);
  EXPECT_LE(error(at::kBFloat16), 0.2);
  EXPECT_GT(error(at::kBFloat16), 1e-4);
}

}  // namespace
}  // namespace lmtrain
