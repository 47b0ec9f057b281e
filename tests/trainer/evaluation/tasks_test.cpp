#include "trainer/evaluation/tasks.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/decoder.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"
#include "trainer/evaluation/matching_tokens.h"
#include "trainer/evaluation/task_support.h"
#include "trainer/inference/score.h"

namespace lmtrain {
namespace {

// A decoder of random weights that reads the tokens of the fixture.
struct SmallModel {
  SmallModel()
      : tokenizer(Tokenizer::parse(read_fixture("tokenizer.json").dump(), "fixture")),
        store(at::kDouble, at::kCPU) {
    ModelConfig config;
    config.num_layers = 2;
    config.num_heads = 2;
    config.hidden_size = 32;
    config.max_positions = 16;
    config.vocab_size = tokenizer.vocab_size();
    config.init_std = 0.3;
    model = make_model(config, config.vocab_size, store, *alone);
    store.allocate(5);
  }
  TaskModel task_model() const {
    return {.model = *model, .tokenizer = tokenizer, .start_token = 0};
  }
  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }

  Tokenizer tokenizer;
  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::unique_ptr<Model> model;
};

// Defect: a token counted twice or not at all, or scored without the tokens before it in its
// window.
TEST(Perplexity, CountsEachTokenOnceInItsFirstWindow) {
  const SmallModel small;
  const TemporaryFolder folder;
  const std::string text =
      "the quick brown fox of the house and then another one jumps over lazy dogs";
  TaskConfig task;
  task.path = folder.write("text.txt", text);
  task.window = 8;
  task.stride = 3;
  const TaskResult result = evaluate_task(small.task_model(), task);

  std::vector<int32_t> tokens = {0};
  small.tokenizer.encode(text, tokens);
  double sum = 0;
  for (size_t at = 1; at < tokens.size(); ++at) {
    const size_t first_window = at < 8 ? 0 : (at - 8) / 3 + 1;
    const size_t begin = first_window * 3;
    const std::vector<TextToScore> one = {{{tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                            tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1},
                                           at - begin}};
    sum += score_texts(small.decoder(), one, {small.tokenizer.vocab_size()})[0][0].log_probability;
  }
  EXPECT_EQ(result.numbers["tokens"], tokens.size() - 1);
  EXPECT_EQ(result.numbers["bytes"], text.size());
  EXPECT_NEAR(result.numbers["loss"].get<double>(), -sum / static_cast<double>(tokens.size() - 1),
              1e-9);
  EXPECT_NEAR(result.value, -sum / std::log(2.0) / static_cast<double>(text.size()), 1e-9);
}

// Defect: a context whose last space makes other tokens, a choice scored with a wrong part of the
// context, the normalised choice by tokens in place of characters.
TEST(Choice, ScoresContinuationsBehindTheContext) {
  const SmallModel small;
  const TemporaryFolder folder;
  TaskConfig task;
  task.task = TaskKind::kChoice;
  task.path = folder.write(
      "choice.jsonl", R"({"context": "the house ", "choices": ["of", "fox"], "answer": "fox"})");
  task.delimiter = "";
  nlohmann::ordered_json item;
  evaluate_task(small.task_model(), task,
                [&](size_t, size_t, const nlohmann::ordered_json& one) { item = one; });
  std::vector<int32_t> before = {0};
  small.tokenizer.encode("the house", before);
  for (size_t i = 0; i < 2; ++i) {
    std::vector<int32_t> tokens = {0};
    small.tokenizer.encode(i == 0 ? "the house of" : "the house fox", tokens);
    double sum = 0;
    const std::vector<TextToScore> text = {{tokens, before.size()}};
    const auto scored = score_texts(small.decoder(), text, {small.tokenizer.vocab_size()});
    for (const ScoredToken& token : scored[0]) sum += token.log_probability;
    EXPECT_NEAR(item["log_probabilities"][i].get<double>(), sum, 1e-9);
  }
  EXPECT_EQ(item["answer"], 1);
}

// Defect: a damaged item that is skipped or crashes.
TEST(Tasks, NameFileAndLineOfADamagedItem) {
  const SmallModel small;
  const TemporaryFolder folder;
  const auto refusal = [&](TaskKind kind, const std::string& text) {
    TaskConfig task;
    task.task = kind;
    task.path = folder.write("items.jsonl", text);
    return message_of<DataError>([&] { evaluate_task(small.task_model(), task); });
  };
  const std::string good = R"({"context": "a", "choices": ["b", "c"], "answer": 0})";
  EXPECT_NE(refusal(TaskKind::kChoice, good + "\n{\"context\": 1}").find("items.jsonl:2"),
            std::string::npos);
  EXPECT_NE(refusal(TaskKind::kChoice, R"({"context": "a", "choices": ["b", "c"], "answer": 2})")
                .find("0 to 1"),
            std::string::npos);
  EXPECT_NE(refusal(TaskKind::kChoice, R"({"context": "a", "choices": ["b", "c"], "answer": "d"})")
                .find("none of the choices"),
            std::string::npos);
  EXPECT_NE(refusal(TaskKind::kPairs, R"({"good": "a"})").find("sentence_good"), std::string::npos);
  EXPECT_NE(refusal(TaskKind::kGenerate, R"({"prompt": "a"})").find("answer"), std::string::npos);
  EXPECT_NE(refusal(TaskKind::kPerplexity, "").find("no items"), std::string::npos);
}

using Places = std::array<std::vector<size_t>, 2>;

// Defect: other tokens in common than Python's difflib finds, which CrowS-Pairs uses. The expected
// places are those of difflib.SequenceMatcher(None, a, b).get_matching_blocks().
TEST(MatchingPlaces, AreThoseOfDifflib) {
  EXPECT_EQ(matching_places({1, 2, 3, 4, 5}, {1, 9, 3, 4, 5}),
            (Places{{{0, 2, 3, 4}, {0, 2, 3, 4}}}));
  EXPECT_EQ(matching_places({1, 2, 3}, {4, 5, 6}), (Places{{{}, {}}}));
  EXPECT_EQ(matching_places({1, 2, 1, 2, 3, 1, 2}, {1, 2, 3, 4, 1, 2}),
            (Places{{{2, 3, 4, 5, 6}, {0, 1, 2, 4, 5}}}));
  EXPECT_EQ(matching_places({7, 1, 7, 1}, {1, 7, 7, 1, 1}), (Places{{{0, 1, 3}, {2, 3, 4}}}));
}

// Defect: an interval that is too narrow, too wide or not about the share.
TEST(Bootstrap, IntervalIsAboutThatOfTheNormalApproximation) {
  std::vector<double> items(400, 0.0);
  std::fill(items.begin(), items.begin() + 100, 1.0);
  const Share share = bootstrapped(items);
  EXPECT_EQ(share.value, 0.25);
  const double error = 1.96 * std::sqrt(0.25 * 0.75 / 400);
  EXPECT_NEAR(share.low, 0.25 - error, 0.008);
  EXPECT_NEAR(share.high, 0.25 + error, 0.008);
  EXPECT_NEAR(standard_error(0.25, 400), std::sqrt(0.25 * 0.75 / 399), 1e-12);
}

}  // namespace
}  // namespace lmtrain
