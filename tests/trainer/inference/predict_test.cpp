#include "trainer/inference/predict.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "trainer/inference/predict_samples.h"

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

// "Ann née B. came, then Carl." in two windows, whose tokens are words with their marks; a token
// of the question comes first.
const std::string kPassage = "Ann n\u00e9e B. came, then Carl.";
std::vector<Example> two_windows() {
  Example first;
  first.ids = {1, 2, 3, 4, 5};
  first.passage_begin = 1;
  first.bytes = {0, 3, 4, 8, 9, 11, 12, 17};  // Ann, née, B., came,
  Example second;
  second.ids = {1, 5, 6, 7};
  second.passage_begin = 1;
  second.bytes = {12, 17, 18, 22, 23, 28};  // came, then Carl.
  return {first, second};
}

at::Tensor logits_of(int64_t tokens, int64_t first, int64_t last, double score, double none) {
  at::Tensor logits = at::full({tokens, 2}, -9.0, at::kDouble);
  logits[0].fill_(none / 2);
  logits[first][0] = score / 2;
  logits[last][1] = score / 2;
  return logits;
}

// Defect: the answer of another window than the best, places in bytes or tokens for characters, "no
// answer" where one window alone finds none.
TEST(Windows, TheBestAnswerOfAllCounts) {
  ModelConfig model;
  model.head = HeadKind::kQuestionAnswering;
  const TextPair text = {"who", kPassage};
  const auto asked = [&](double one, double none, double other, double none_there,
                         bool may_have_none) {
    return predict_samples(model, text, two_windows(),
                           {logits_of(5, 2, 3, one, none), logits_of(4, 3, 3, other, none_there)},
                           may_have_none);
  };
  nlohmann::ordered_json said = asked(6, 0, 4, 0, false);
  EXPECT_EQ(said["answer"], "n\u00e9e B.");
  EXPECT_EQ(said["begin"], 4);
  EXPECT_EQ(said["end"], 10);
  EXPECT_EQ(said["score"], 6.0);
  EXPECT_EQ(said["windows"], 2);
  said = asked(6, 0, 8, 0, false);
  EXPECT_EQ(said["answer"], "Carl.");
  EXPECT_EQ(said["begin"], 22);
  EXPECT_EQ(said["end"], 27);
  EXPECT_EQ(said["ids"], (std::vector<int32_t>{1, 5, 6, 7}));
  EXPECT_EQ(asked(6, 7, 4, 1, true)["answer"], "n\u00e9e B.") << "one window finds no answer";
  said = asked(6, 7, 4, 9, true);
  EXPECT_EQ(said["answer"], "");
  EXPECT_EQ(said["no_answer_score"], 7.0);
  EXPECT_EQ(asked(6, 7, 4, 9, false)["answer"], "n\u00e9e B.");
}

// Defect: a label of a token that goes on with a word taken for that of the next word.
TEST(Windows, AWordHasTheLabelOfItsFirstToken) {
  ModelConfig model;
  model.head = HeadKind::kTokenClassification;
  model.labels = {"O", "B-X"};
  Example one;
  one.ids = {1, 2, 3};
  one.labels = {-1, 0, -1};
  Example two;
  two.ids = {1, 4};
  two.labels = {-1, 0};
  const at::Tensor of_one = at::tensor({1.0, 0.0, 0.0, 1.0, 1.0, 0.0}).view({3, 2});
  const at::Tensor of_two = at::tensor({0.0, 1.0, 1.0, 0.0}).view({2, 2});
  const nlohmann::ordered_json said =
      predict_samples(model, {"running\tcat", ""}, {one, two}, {of_one, of_two}, false);
  EXPECT_EQ(said["words"].dump(),
            R"([{"word":"running","label":"B-X"},{"word":"cat","label":"O"}])");
  EXPECT_EQ(said["labels"].dump(), R"(["O","B-X","O","B-X","O"])");
}

}  // namespace
}  // namespace lmtrain
