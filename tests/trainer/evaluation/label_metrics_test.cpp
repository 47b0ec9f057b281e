#include "trainer/evaluation/label_metrics.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

double value_of(const LabelMetrics& metrics, const std::string& name) {
  for (const auto& [found, value] : metrics)
    if (found == name) return value;
  ADD_FAILURE() << "no " << name;
  return 0;
}

// Defect: rows and columns of the confusion swapped, or a mean over labels that nobody has. The
// values are scikit-learn's.
TEST(LabelMetrics, OfThreeLabels) {
  const LabelMetrics metrics =
      classification_metrics(confusion_of({0, 0, 0, 1, 1, 2}, {0, 0, 1, 1, 2, 2}, 4));
  EXPECT_NEAR(value_of(metrics, "accuracy"), 4.0 / 6, 1e-15);
  EXPECT_NEAR(value_of(metrics, "f1_macro"), (0.8 + 0.5 + 2.0 / 3) / 3, 1e-15);
  EXPECT_NEAR(value_of(metrics, "matthews"), 0.5222329678670935, 1e-15);
}

// Defect: the F1 of two labels taken for the first one.
TEST(LabelMetrics, OfTwoLabelsAreForTheSecond) {
  const LabelMetrics metrics = classification_metrics(confusion_of({0, 0, 0, 1}, {0, 0, 1, 1}, 2));
  EXPECT_NEAR(value_of(metrics, "f1"), 2.0 / 3, 1e-15);
  EXPECT_EQ(value_of(classification_metrics(confusion_of({0, 0}, {1, 1}, 2)), "matthews"), 0);
}

// Defect: ties ranked by their order, or constants divided by nothing.
TEST(LabelMetrics, OfNumbers) {
  const LabelMetrics metrics = regression_metrics({1, 2, 3, 4}, {2, 2, 5, 9});
  EXPECT_NEAR(value_of(metrics, "pearson"), 0.9341987329938275, 1e-14);
  EXPECT_NEAR(value_of(metrics, "spearman"), 0.9486832980505138, 1e-14);
  EXPECT_NEAR(value_of(metrics, "mean_squared_error"), 7.5, 1e-15);
  EXPECT_EQ(value_of(regression_metrics({1, 2}, {3, 3}), "pearson"), 0);
}

// Defect: a span that begins without B, or changes its type, is not one, or is one too many.
TEST(LabelMetrics, SpansFollowTheirTags) {
  using Spans = std::vector<TagSpan>;
  EXPECT_EQ(spans_of({"O", "B-PER", "I-PER", "O"}), (Spans{{"PER", 1, 3}}));
  EXPECT_EQ(spans_of({"I-PER", "I-LOC"}), (Spans{{"PER", 0, 1}, {"LOC", 1, 2}}));
  EXPECT_EQ(spans_of({"B-PER", "B-PER"}), (Spans{{"PER", 0, 1}, {"PER", 1, 2}}));
  EXPECT_EQ(spans_of({"S-X", "I-X", "E-X", "I-X"}), (Spans{{"X", 0, 1}, {"X", 1, 3}, {"X", 3, 4}}));
  EXPECT_EQ(spans_of({"B", "I"}), (Spans{{"_", 0, 2}}));
  const LabelMetrics metrics =
      tagging_metrics({{"B-A", "I-A", "O"}, {"B-B"}}, {{"B-A", "O", "O"}, {"B-B"}});
  EXPECT_NEAR(value_of(metrics, "span_f1"), 0.5, 1e-15);
  EXPECT_NEAR(value_of(metrics, "accuracy"), 0.75, 1e-15);
}

// Defect: case, punctuation or articles count, or the answer that fits best is not taken.
TEST(LabelMetrics, OfAnswers) {
  EXPECT_EQ(normalised_answer(" The  Cat's, a dog!"), "cats dog");
  const LabelMetrics metrics = answer_metrics(
      {{"the cat", {"a dog", "Cat."}}, {"cat sat", {"cat ran"}}, {"", {}}, {"x", {}}});
  EXPECT_NEAR(value_of(metrics, "exact_match"), 0.5, 1e-15);
  EXPECT_NEAR(value_of(metrics, "answer_f1"), (1 + 0.5 + 1 + 0) / 4, 1e-15);
}

}  // namespace
}  // namespace lmtrain
