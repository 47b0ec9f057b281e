#include "trainer/inference/decoding.h"

#include <cmath>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

std::vector<double> logits() {
  return {std::log(0.1), std::log(0.4), std::log(0.2), std::log(0.3)};
}

DecodingOptions plain() {
  DecodingOptions options;
  options.temperature = 1.0;
  options.top_k = 0;
  return options;
}

std::set<int32_t> tokens_drawn(const DecodingOptions& options) {
  std::set<int32_t> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(sample_token(logits(), options, i / 1000.0));
  return tokens;
}

// Defect: a draw that does not follow the probabilities, or leaves the vocabulary at the ends of
// the interval.
TEST(Decoding, FollowsTheProbabilities) {
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

// Defect: temperature 0 that samples; top-k, top-p or min-p that keeps one token too many or too
// few.
TEST(Decoding, ObeysTemperatureTopKTopPAndMinP) {
  DecodingOptions greedy = plain();
  greedy.temperature = 0;
  EXPECT_EQ(tokens_drawn(greedy), (std::set<int32_t>{1}));
  DecodingOptions two = plain();
  two.top_k = 2;
  EXPECT_EQ(tokens_drawn(two), (std::set<int32_t>{1, 3}));
  DecodingOptions nucleus = plain();
  nucleus.top_p = 0.75;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1, 2, 3}));
  nucleus.top_p = 0.7;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1, 3}));
  nucleus.top_p = 1e-9;
  EXPECT_EQ(tokens_drawn(nucleus), (std::set<int32_t>{1}));
  DecodingOptions likely = plain();
  likely.min_p = 0.45;
  EXPECT_EQ(tokens_drawn(likely), (std::set<int32_t>{1, 2, 3}));
  likely.min_p = 0.55;
  EXPECT_EQ(tokens_drawn(likely), (std::set<int32_t>{1, 3}));
}

// Defect: a tie with the k-th token that is cut, so that the draw depends on the order of tokens.
TEST(Decoding, TopKKeepsTies) {
  DecodingOptions one = plain();
  one.top_k = 1;
  std::set<int32_t> drawn;
  for (int i = 0; i < 100; ++i) drawn.insert(sample_token({1.0, 2.0, 2.0, 0.0}, one, i / 100.0));
  EXPECT_EQ(drawn, (std::set<int32_t>{1, 2}));
}

// Defect: a low temperature that flattens, or a high one that sharpens.
TEST(Decoding, LowTemperaturesSharpen) {
  const auto share_of_the_likeliest = [](double temperature) {
    DecodingOptions options = plain();
    options.temperature = temperature;
    int count = 0;
    for (int i = 0; i < 1000; ++i)
      count += sample_token(logits(), options, (i + 0.5) / 1000.0) == 1 ? 1 : 0;
    return count;
  };
  EXPECT_GT(share_of_the_likeliest(0.5), 500);
  EXPECT_LT(share_of_the_likeliest(2.0), 350);
}

std::vector<double> processed(const DecodingOptions& options, std::vector<double> from) {
  // Two tokens of the prompt and three new ones.
  process_logits(options, {0, 3, 1, 1, 3}, 2, from);
  return from;
}

// Defect: a penalty that counts the prompt where it should not, or the other way round; one of the
// wrong sign.
TEST(Decoding, PenaltiesCountWhatHasCome) {
  DecodingOptions repetition = plain();
  repetition.repetition_penalty = 2.0;
  EXPECT_EQ(processed(repetition, {1, -1, 1, 4}), (std::vector<double>{0.5, -2, 1, 2}));
  DecodingOptions of_api = plain();
  of_api.presence_penalty = 0.5;
  of_api.frequency_penalty = 0.25;
  EXPECT_EQ(processed(of_api, {1, 1, 1, 1}), (std::vector<double>{1, 0, 1, 0.25}));
  DecodingOptions biased = plain();
  biased.logit_bias = {{2, -3.0}};
  EXPECT_EQ(processed(biased, {1, 1, 1, 1}), (std::vector<double>{1, 1, -2, 1}));
}

// Defect: an n-gram that comes twice, or a ban of one that has not come.
TEST(Decoding, NoNGramComesTwice) {
  const auto banned = [](int64_t n, const std::vector<int32_t>& tokens) {
    DecodingOptions options = plain();
    options.no_repeat_ngram_size = n;
    std::vector<double> logits(4, 0.0);
    process_logits(options, tokens, 1, logits);
    std::set<int32_t> found;
    for (int32_t t = 0; t < 4; ++t) {
      if (std::isinf(logits[static_cast<size_t>(t)])) found.insert(t);
    }
    return found;
  };
  EXPECT_EQ(banned(2, {0, 1, 0}), (std::set<int32_t>{1}));
  EXPECT_EQ(banned(2, {0, 1, 0, 2, 0}), (std::set<int32_t>{1, 2}));
  EXPECT_EQ(banned(3, {0, 1, 2, 0, 1}), (std::set<int32_t>{2}));
  EXPECT_EQ(banned(3, {0, 1, 2, 1}), (std::set<int32_t>{}));
  EXPECT_EQ(banned(1, {0, 2}), (std::set<int32_t>{0, 2}));
  EXPECT_EQ(banned(4, {0}), (std::set<int32_t>{}));
}

// Defect: a log-probability after penalties and temperature, not that of the model.
TEST(Decoding, TellsTheModelsOwnProbability) {
  DecodingOptions options = plain();
  options.temperature = 0;
  options.logit_bias = {{2, 100.0}};
  const std::vector<double> numbers = logits();
  const ChosenToken chosen = choose_token(at::tensor(numbers, at::kDouble), options, {0}, 1);
  EXPECT_EQ(chosen.token, 2);
  EXPECT_NEAR(chosen.log_probability, std::log(0.2), 1e-12);
}

}  // namespace
}  // namespace lmtrain
