#include "trainer/verify/verify.h"

#include <limits>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Two runs whose gradients are equal but for fp64's rounding and whose weights are `weight` apart.
LayoutDifference weights_apart(double weight, double largest_update) {
  LayoutDifference d;
  d.gradient = 2.8e-17;
  d.weight = weight;
  d.tensors = {{"embedding", 2.8e-17, weight, 1.0, 1.0, largest_update}};
  return d;
}

TEST(Verdict, AnUpdateWithABoundIsHeldToIt) {
  const LayoutVerdict equal = judge_each(weights_apart(1e-12, 1e-3), {}, Precision::kFp64);
  EXPECT_TRUE(equal.is_equal);
  EXPECT_EQ(equal.reason, "equal within 1e-9");
  EXPECT_FALSE(judge_each(weights_apart(5.6e-3, 1e-3), {}, Precision::kFp64).is_equal);
}

TEST(Verdict, SaysWhichWeightsItCouldNotCompare) {
  const double unbounded = std::numeric_limits<double>::infinity();
  for (const LayoutVerdict& judged :
       {judge_each(weights_apart(5.6e-3, unbounded), {}, Precision::kFp64),
        judge(weights_apart(5.6e-3, unbounded), {}, Precision::kFp64)}) {
    EXPECT_TRUE(judged.is_equal);
    EXPECT_EQ(
        judged.reason,
        "equal within 1e-9, without the weights of 1 of 1 tensors, whose updates have no bound "
        "to compare them by");
  }
}

}  // namespace
}  // namespace lmtrain
