#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/few_rows.h"
#include "models/model.h"

namespace lmtrain {
namespace {

at::Tensor widened(const Int8Matrix& matrix) {
  return matrix.values.to(at::kFloat) * matrix.scales.unsqueeze(1);
}

// Defect: a weight that is further from its own than half a step of its row, a matrix left out, or
// one that must stay as it is (embedding, head, norm, bias).
TEST(Int8, KeepsHiddenMatricesWithinHalfAStep) {
  ModelConfig config;
  config.num_layers = 2;
  config.num_heads = 2;
  config.hidden_size = 32;
  config.vocab_size = 64;
  const auto alone = make_single_communicator();
  ParameterStore store(at::kFloat, at::kCPU);
  const auto model = make_model(config, 60, store, *alone);
  store.allocate(5);
  std::map<std::string, at::Tensor> before;
  for (const Parameter* parameter : store.parameters())
    before[parameter->spec().name] = parameter->weight().clone();
  store.keep_in_int8();
  int num_matrices = 0;
  for (const Parameter* parameter : store.parameters()) {
    const at::Tensor& was = before.at(parameter->spec().name);
    const Int8Matrix* const int8 = parameter->int8();
    ASSERT_EQ(int8 != nullptr, !parameter->spec().matrices.empty()) << parameter->spec().name;
    if (int8 == nullptr) {
      EXPECT_TRUE(parameter->weight().equal(was)) << parameter->spec().name;
      continue;
    }
    ++num_matrices;
    const at::Tensor difference = (widened(*int8) - was.view({-1, was.size(-1)})).abs();
    EXPECT_TRUE((difference <= 0.5001 * int8->scales.unsqueeze(1)).all().item<bool>());
  }
  EXPECT_EQ(num_matrices, 8);  // four of each block
}

// Defect: a product with the wrong scale or row, a rest of a row left out, a row that depends on
// the rows beside it, few rows that differ from many.
TEST(Int8, ProductsEqualThoseOfTheWidenedMatrix) {
  const at::NoGradGuard no_gradients;
  at::manual_seed(1);
  for (const int64_t width : {64, 71, 33}) {
    const Int8Matrix matrix = {at::randint(-127, 128, {50, width}).to(at::kChar),
                               at::rand({50}) + 0.01};
    const at::Tensor bias = at::randn({50});
    const at::Tensor x = at::randn({kMostFewRows + 3, width});
    const at::Tensor expected = at::linear(x, widened(matrix), bias);
    const at::Tensor many = inferred_linear(x, matrix, bias, at::kFloat);
    EXPECT_TRUE(at::allclose(many, expected, 1e-4, 1e-3));
    for (const int64_t rows : {1, 2, 5, 8, 13, 32}) {
      const at::Tensor few = inferred_linear(x.narrow(0, 0, rows), matrix, bias, at::kFloat);
      EXPECT_TRUE(at::allclose(few, expected.narrow(0, 0, rows), 1e-4, 1e-3));
      const at::Tensor first = inferred_linear(x.narrow(0, 0, 1), matrix, bias, at::kFloat);
      EXPECT_TRUE(few.narrow(0, 0, 1).equal(first));
    }
  }
}

}  // namespace
}  // namespace lmtrain
