#include "trainer/inference/predict.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: an answer that ends before it begins, is too long, or lies outside the passage.
TEST(BestAnswer, IsTheLikeliestSpanOfThePassage) {
  const at::Tensor logits =
      at::tensor({9.0, 9.0, 1.0, 0.0, 5.0, 3.0, 2.0, 4.0, 0.0, 8.0}).view({5, 2});
  const AnswerSpan whole = best_answer(logits, 0, 5, 5);
  EXPECT_EQ(whole.first, 0);
  EXPECT_EQ(whole.last, 0);  // 9 + 9, over 9 + 8
  const AnswerSpan passage = best_answer(logits, 1, 5, 5);
  EXPECT_EQ(passage.first, 2);
  EXPECT_EQ(passage.last, 4);
  EXPECT_EQ(passage.score, 13.0);
  const AnswerSpan shorter = best_answer(logits, 1, 5, 2);
  EXPECT_EQ(shorter.first, 3);
  EXPECT_EQ(shorter.last, 4);
  const AnswerSpan one = best_answer(logits, 1, 4, 1);
  EXPECT_EQ(one.first, 2);
  EXPECT_EQ(one.score, 8.0);
}

}  // namespace
}  // namespace lmtrain
