#include "trainer/explanation/integrated_gradients.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// sigmoid(steepness * (w . x - middle)), with its gradient in closed form.
ScoreFunction sigmoid_of(const at::Tensor& w, double steepness, double middle) {
  return [=](const at::Tensor& points) -> ScoredPoints {
    const at::Tensor scores = points.flatten(1).matmul(w).sub(middle).mul(steepness).sigmoid();
    const at::Tensor slopes = scores * (1 - scores) * steepness;
    return {scores, (slopes.unsqueeze(1) * w).unsqueeze(2)};
  };
}

const at::Tensor kWeights = at::tensor({0.5, -0.25, 0.0, 0.75}, at::kDouble);
// Four tokens of one feature.
const at::Tensor kInput = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).unsqueeze(1);
const at::Tensor kBaseline = at::tensor({0.0, 1.0, 3.0, 0.0}, at::kDouble).unsqueeze(1);

// Defect: contributions of a linear score that are not weight times difference, or more points than
// the first pieces of the line need.
TEST(IntegratedGradients, OfALinearScoreAreExact) {
  const auto linear = [](const at::Tensor& points) -> ScoredPoints {
    return {points.flatten(1).matmul(kWeights), kWeights.unsqueeze(1).expand_as(points)};
  };
  const IntegratedGradients found = integrated_gradients(linear, kInput, kBaseline, {});
  EXPECT_TRUE(
      at::allclose(found.contributions, at::tensor({0.5, -0.25, 0.0, 3.0}, at::kDouble), 1e-13));
  EXPECT_EQ(found.num_points, kFewestPoints);
  EXPECT_LT(found.relative_error(), 1e-13);
  EXPECT_DOUBLE_EQ(found.input_score, 3.0);
  EXPECT_DOUBLE_EQ(found.baseline_score, -0.25);
}

// Defect: a score that jumps within a small part of the line, which equal steps pass over. On a
// straight line a sigmoid's contributions are its difference, shared out like the linear score's.
TEST(IntegratedGradients, FindTheJumpOfASteepScore) {
  for (const double steepness : {5.0, 100.0, 3000.0}) {
    const ScoreFunction score = sigmoid_of(kWeights, steepness, 1.037);
    const IntegratedGradients found =
        integrated_gradients(score, kInput, kBaseline, {.tolerance = 1e-6, .max_points = 4096});
    EXPECT_LE(found.relative_error(), 1e-6) << steepness;
    EXPECT_NEAR(found.sum(), found.difference(), 1e-6);
    const at::Tensor shares = at::tensor({0.5, -0.25, 0.0, 3.0}, at::kDouble) / 3.25;
    EXPECT_TRUE(at::allclose(found.contributions, shares * found.difference(), 1e-5)) << steepness;
  }
}

// Defect: more points than are allowed, or a result that hides that it is wrong.
TEST(IntegratedGradients, StopAtTheMostPointsAndSayHowWrongTheyAre) {
  const ScoreFunction score = sigmoid_of(kWeights, 3000.0, 1.037);
  const IntegratedGradients found =
      integrated_gradients(score, kInput, kBaseline, {.tolerance = 0.01, .max_points = 100});
  EXPECT_EQ(found.num_points, kFewestPoints + 31);
  EXPECT_FALSE(found.holds(0.01));
}

// Defect: contributions that are taken for right because their errors cancel in the sum. Beside the
// baseline two tokens move the score by 8 and -8; a third moves it slowly.
TEST(IntegratedGradients, FindWhatCancelsInTheSum) {
  constexpr double kSteepness = 2000.0;
  const auto score = [](const at::Tensor& points) -> ScoredPoints {
    const at::Tensor x = points.flatten(1);
    const at::Tensor steps = x.narrow(1, 0, 2).mul(kSteepness).tanh();
    const at::Tensor slopes = (1 - steps.square()) * (8.0 * kSteepness);
    const at::Tensor slow = x.select(1, 2);
    return {(steps.select(1, 0) - steps.select(1, 1)) * 8.0 + slow,
            at::stack({slopes.select(1, 0), -slopes.select(1, 1), at::ones_like(slow)}, 1)
                .unsqueeze(2)};
  };
  const at::Tensor input = at::ones({3, 1}, at::kDouble);
  const IntegratedGradients found =
      integrated_gradients(score, input, at::zeros_like(input), {.tolerance = 0.01});
  EXPECT_TRUE(found.holds(0.01)) << found.relative_token_error();
  EXPECT_TRUE(
      at::allclose(found.contributions, at::tensor({8.0, -8.0, 1.0}, at::kDouble), 0.0, 0.1))
      << found.contributions;
}

// Defect: points that are computed a few at a time give another result.
TEST(IntegratedGradients, DoNotDependOnThePointsAtOnce) {
  const ScoreFunction score = sigmoid_of(kWeights, 20.0, 1.037);
  const IntegratedGradients together =
      integrated_gradients(score, kInput, kBaseline, {.tolerance = 1e-4});
  const IntegratedGradients alone =
      integrated_gradients(score, kInput, kBaseline, {.tolerance = 1e-4, .points_at_once = 1});
  EXPECT_TRUE(at::equal(together.contributions, alone.contributions));
  EXPECT_EQ(together.num_points, alone.num_points);
}

// Defect: a division by nothing where text and baseline are alike.
TEST(IntegratedGradients, OfNoDifferenceAreNothing) {
  const IntegratedGradients found =
      integrated_gradients(sigmoid_of(kWeights, 5.0, 1.0), kInput, kInput, {});
  EXPECT_EQ(found.sum(), 0.0);
  EXPECT_TRUE(found.holds(0.01));
}

}  // namespace
}  // namespace lmtrain
