#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/temporary_folder.h"
#include "tests/tokenizer/fixture.h"
#include "trainer/inference/token_name.h"
#include "trainer/serving/api_request.h"
#include "trainer/serving/api_response.h"

namespace lmtrain {
namespace {

using nlohmann::json;

LoadedModel loaded_model() {
  Config config;
  config.model.max_positions = 32;
  LoadedModel loaded{
      "checkpoint", {},
      config,       Tokenizer::parse(read_fixture("tokenizer.json").dump(), "fixture"),
      -1,           {0},
      nullptr,      nullptr,
      nullptr};
  return loaded;
}

constexpr ApiLimits kLimits = {.most_tokens = 20, .most_texts = 4};

CompletionRequest parsed(const json& body) {
  return parse_completion(body, loaded_model(), "mine", kLimits);
}

// Defect: a form of prompt that is not understood, or read as another one.
TEST(CompletionRequest, TakesTextsAndIdsAndListsOfThem) {
  const CompletionRequest text = parsed({{"prompt", "the house"}});
  EXPECT_EQ(text.prompts.size(), 1U);
  EXPECT_EQ(text.decoding.max_new_tokens, 16);
  EXPECT_EQ(parsed({{"prompt", {"the house", "and"}}}).prompts.size(), 2U);
  const std::vector<int32_t> ids = text.prompts[0];
  EXPECT_EQ(parsed({{"prompt", ids}}).prompts, (std::vector<std::vector<int32_t>>{ids}));
  EXPECT_EQ(parsed({{"prompt", {ids, ids}}}).prompts,
            (std::vector<std::vector<int32_t>>{ids, ids}));
  EXPECT_EQ(parsed({{"prompt", ids}}).prompt_texts[0], "the house");
}

// Defect: a wrong request that is answered as if it were another one.
TEST(CompletionRequest, RefusesWhatItCannotDo) {
  const auto refusal = [](json body) {
    if (!body.contains("prompt")) body["prompt"] = "the";
    return message_of<std::runtime_error>([&] { parsed(body); });
  };
  const auto expect_part = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  };
  expect_part(refusal({{"max_tokenz", 3}}), "max_tokenz");
  expect_part(refusal({{"max_tokens", 21}}), "max_tokens");
  expect_part(refusal({{"max_tokens", 0}}), "max_tokens");
  expect_part(refusal({{"temperature", "hot"}}), "temperature");
  expect_part(refusal({{"temperature", -1}}), "temperature");
  expect_part(refusal({{"n", 5}}), "5 texts");
  expect_part(refusal({{"best_of", 2}}), "best_of");
  expect_part(refusal({{"suffix", "x"}}), "suffix");
  expect_part(refusal({{"logit_bias", {{"x", 1}}}}), "logit_bias");
  expect_part(refusal({{"model", "other"}}), "other");
  expect_part(refusal({{"prompt", json::array()}}), "prompt");
  expect_part(refusal({{"prompt", {1.5}}}), "prompt");
  expect_part(refusal({{"prompt", {99999}}}), "prompt");
  expect_part(refusal({{"prompt",
                        "one two three four five six seven eight nine ten 11 22 33 44 55 66 77"}}),
              "32 positions");
  expect_part(refusal({{"stop", {"a", 1}}}), "stop");
}

// Defect: seeds of several texts that are all the same.
TEST(CompletionRequest, CountsSeedsFromItsOwn) {
  const std::vector<TextRequest> texts =
      texts_of(parsed({{"prompt", {"a", "b"}}, {"n", 2}, {"seed", 7}}));
  ASSERT_EQ(texts.size(), 4U);
  EXPECT_EQ(texts[0].decoding.seed, 7U);
  EXPECT_EQ(texts[1].decoding.seed, 8U);
  EXPECT_EQ(texts[2].decoding.seed, 7U);
  EXPECT_NE(texts[1].prompt, texts[2].prompt);
}

// Defect: a part of a character as text that JSON cannot hold.
TEST(TokenName, SpellsPartsOfCharacters) {
  const LoadedModel loaded = loaded_model();
  std::vector<int32_t> ids;
  loaded.tokenizer.encode("\xE4", ids);
  ASSERT_EQ(ids.size(), 1U);
  EXPECT_EQ(token_name(loaded.tokenizer, ids[0]), "bytes:\\xe4");
  ids.clear();
  loaded.tokenizer.encode("a", ids);
  EXPECT_EQ(token_name(loaded.tokenizer, ids[0]), "a");
}

// Defect: offsets in bytes in place of characters, a prompt that is echoed without its first token.
TEST(CompletionResponse, EchoesThePromptWithOffsetsInCharacters) {
  const LoadedModel loaded = loaded_model();
  std::vector<int32_t> ids;
  for (const char* const text : {"a", "\xC3\xA9", "b"}) loaded.tokenizer.encode(text, ids);
  const CompletionRequest request =
      parsed({{"prompt", ids}, {"echo", true}, {"logprobs", 1}, {"max_tokens", 0}});
  CompletionResponse response(request, loaded.tokenizer);
  std::vector<ScoredToken> scores;
  for (size_t i = 1; i < ids.size(); ++i) scores.push_back({ids[i], -1.5, 1, {{ids[i], -1.5}}});
  response.set_prompt_scores({scores});
  const auto whole = response.whole(energy_json(0, {}, false));
  const auto& lists = whole["choices"][0]["logprobs"];
  EXPECT_EQ(whole["choices"][0]["text"],
            "a\xC3\xA9"
            "b");
  EXPECT_TRUE(lists["token_logprobs"][0].is_null());
  EXPECT_EQ(lists["token_logprobs"].size(), ids.size());
  EXPECT_EQ(lists["text_offset"].back(), 2);
  EXPECT_EQ(whole["usage"]["completion_tokens"], 0);
}

}  // namespace
}  // namespace lmtrain
