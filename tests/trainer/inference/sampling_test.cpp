#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "trainer/inference/generate.h"

namespace lmtrain {
namespace {

at::Tensor logits() { return at::log(at::tensor({0.1, 0.4, 0.2, 0.3}, at::kDouble)); }

SamplingOptions plain() {
  SamplingOptions options;
  options.temperature = 1.0;
  options.top_k = 0;
  return options;
}

std::set<int32_t> tokens_drawn(const SamplingOptions& options) {
  std::set<int32_t> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(sample_token(logits(), options, i / 1000.0));
  return tokens;
}

// Defect: a draw that does not follow the probabilities, or leaves the vocabulary at the ends of
// the interval.
TEST(Sampling, FollowsTheProbabilities) {
  std::vector<int> count(4);
  for (int i = 0; i < 1000; ++i)
    ++count[static_cast<size_t>(sample_token(logits(), plain(), (i + 0.5) / 1000.0))];
  EXPECT_NEAR(count[0], 100, 1);
  EXPECT_NEAR(count[1], 400, 1);
  EXPECT_NEAR(count[2], 200, 1);
  EXPECT_NEAR(count[3], 300, 1);
  EXPECT_EQ(sample_token(logits(), plain(), 0.0), 1);
  EXPECT_EQ(sample_token(logits(), plain(), 1.0 - 1e-16), 0);
}

// Defect: temperature 0 that samples, top-k or top-p that keeps one token too many or too few.
TEST(Sampling, ObeysTemperatureTopKAndTopP) {
  SamplingOptions greedy = plain();
  greedy.temperature = 0;
  EXPECT_EQ(tokens_drawn(greedy), (std::set<int32_t>{1}));
  SamplingOptions two = plain();
  two.top_k = 2;
  EXPECT_EQ(tokens_drawn(two), (std::set<int32_t>{1, 3}));
  SamplingOptions nucleus = plain();
  nucleus.top_p = 0.75;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1, 2, 3}));
  nucleus.top_p = 0.7;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1, 3}));
  nucleus.top_p = 1e-9;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1}));
}

// Defect: a low temperature that flattens, or a high one that sharpens.
TEST(Sampling, LowTemperaturesSharpen) {
  const auto share_of_the_likeliest = [](double temperature) {
    SamplingOptions options = plain();
    options.temperature = temperature;
    int count = 0;
    for (int i = 0; i < 1000; ++i)
      count += sample_token(logits(), options, (i + 0.5) / 1000.0) == 1 ? 1 : 0;
    return count;
  };
  EXPECT_GT(share_of_the_likeliest(0.5), 500);
  EXPECT_LT(share_of_the_likeliest(2.0), 350);
}

}  // namespace
}  // namespace lmtrain
