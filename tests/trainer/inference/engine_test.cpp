#include "trainer/inference/engine.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/few_rows.h"
#include "models/kernels/kernels_isa.h"
#include "trainer/inference/beam_search.h"

namespace lmtrain {
namespace {

constexpr int64_t kTokens = 61;

ModelConfig small_model(const std::string& kind) {
  ModelConfig config;
  config.kind = kind;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = kind == "gpt2" ? 0 : 2;
  config.hidden_size = 64;
  config.feed_forward_size = 48;
  config.max_positions = 24;
  config.vocab_size = 64;
  config.sliding_window = kind == "mistral" ? 5 : 0;
  config.init_std = 0.3;
  return config;
}

struct SmallDecoder {
  SmallDecoder(const ModelConfig& config, at::ScalarType type) : store(type, at::kCPU) {
    model = make_model(config, kTokens, store, *alone);
    store.allocate(5);
  }
  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }

  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::unique_ptr<Model> model;
};

std::vector<int32_t> prompt_of(int64_t length, uint64_t seed) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < length; ++i)
    tokens.push_back(
        static_cast<int32_t>((seed * 7919 + static_cast<uint64_t>(i * i) * 31) % kTokens));
  return tokens;
}

at::Tensor ids_of(const std::vector<int32_t>& tokens) {
  return at::tensor(std::vector<int64_t>(tokens.begin(), tokens.end()), at::kLong);
}

at::Tensor whole(const Decoder& decoder, const std::vector<int32_t>& tokens) {
  return decoder.hidden(make_input(decoder.config(), {.ids = ids_of(tokens).unsqueeze(0)}))[0];
}

class CachedDecoding : public testing::TestWithParam<std::string> {};

// Defect: a key or value at a wrong place, of a wrong head or of another sequence; a position or a
// window that counts from the pass and not from the sequence.
TEST_P(CachedDecoding, EqualsReadingEverythingAgain) {
  const at::NoGradGuard no_gradients;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const SmallDecoder small(small_model(GetParam()), type);
    const Decoder& decoder = small.decoder();
    const std::vector<int32_t> a = prompt_of(17, 1);
    const std::vector<int32_t> b = prompt_of(9, 2);
    KeyValueCache cache = decoder.make_cache(3);
    const auto part = [](const std::vector<int32_t>& tokens, int64_t first, int64_t count) {
      return ids_of({tokens.begin() + first, tokens.begin() + first + count});
    };
    // Whole, in two chunks, and token by token beside the other.
    const at::Tensor first = decoder.hidden(part(a, 0, 7), {{2, 0, 7}}, cache);
    const at::Tensor second = decoder.hidden(part(a, 7, 6), {{2, 7, 6}}, cache);
    std::vector<at::Tensor> of_a = {first, second};
    std::vector<at::Tensor> of_b = {decoder.hidden(part(b, 0, 5), {{0, 0, 5}}, cache)};
    cache.copy(0, 1, 5);
    for (int64_t i = 0; i < 4; ++i) {
      const at::Tensor both = decoder.hidden(at::cat({part(b, 5 + i, 1), part(a, 13 + i, 1)}),
                                             {{1, 5 + i, 1}, {2, 13 + i, 1}}, cache);
      of_b.push_back(both.narrow(0, 0, 1));
      of_a.push_back(both.narrow(0, 1, 1));
    }
    const double tolerance = type == at::kDouble ? 1e-12 : 2e-5;
    EXPECT_TRUE(at::allclose(at::cat(of_a), whole(decoder, a), tolerance, tolerance));
    EXPECT_TRUE(at::allclose(at::cat(of_b), whole(decoder, b), tolerance, tolerance));
  }
}

std::vector<NewToken> tokens_of(Engine& engine, int64_t text) {
  std::vector<NewToken> tokens;
  while (!engine.is_idle()) {
    for (const NewToken& token : engine.step()) {
      if (token.text == text) tokens.push_back(token);
    }
  }
  return tokens;
}

// Defect: a text that changes with what is written beside it, by a sum in another order or by the
// random numbers of another text.
TEST_P(CachedDecoding, ATextDoesNotDependOnThoseBesideIt) {
  for (const at::ScalarType type : {at::kBFloat16, at::kFloat}) {
    const SmallDecoder small(small_model(GetParam()), type);
    const auto request = [](uint64_t seed) {
      DecodingOptions options;
      options.max_new_tokens = 12;
      options.seed = seed;
      options.repetition_penalty = 1.2;
      return options;
    };
    Engine alone(small.decoder(), {.num_tokens = kTokens});
    const auto expected = tokens_of(alone, alone.add(prompt_of(6, 3), request(9)));
    Engine busy(small.decoder(), {.num_tokens = kTokens, .num_slots = 11});
    for (uint64_t i = 0; i < 14; ++i) {
      DecodingOptions options = request(i + 20);
      options.max_new_tokens = static_cast<int64_t>(3 + i % 5);  // slots are taken over
      busy.add(prompt_of(static_cast<int64_t>(2 + i), i), options);
    }
    const auto found = tokens_of(busy, busy.add(prompt_of(6, 3), request(9)));
    ASSERT_EQ(found.size(), 12U);
    ASSERT_EQ(expected.size(), 12U);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found[i].chosen.token, expected[i].chosen.token) << i;
      EXPECT_EQ(found[i].chosen.log_probability, expected[i].chosen.log_probability) << i;
    }
    EXPECT_EQ(found.back().finished, FinishReason::kLength);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CachedDecoding, testing::Values("gpt2", "llama", "mistral"),
                         [](const auto& kind) { return kind.param; });

// Defect: a text that outgrows the model's positions stops, or reads beyond its slot.
TEST(Engine, ATextMayOutgrowTheModelsPositions) {
  const SmallDecoder small(small_model("gpt2"), at::kDouble);
  Engine engine(small.decoder(), {.num_tokens = kTokens});
  DecodingOptions greedy;
  greedy.temperature = 0;
  greedy.max_new_tokens = 60;
  const std::vector<int32_t> prompt = prompt_of(40, 1);  // of 24 positions
  const std::vector<int32_t> tokens = generate_tokens(engine, prompt, greedy);
  ASSERT_EQ(tokens.size(), 60U);
  // The first one follows the newer half of the positions.
  const at::NoGradGuard no_gradients;
  const at::Tensor hidden = whole(small.decoder(), {prompt.end() - 12, prompt.end()});
  EXPECT_EQ(
      small.decoder().head().logits(hidden)[11].narrow(0, 0, kTokens).argmax().item<int64_t>(),
      tokens[0]);
}

// Defect: an end token that is ignored, ends another text, or comes too early.
TEST(Engine, EndTokensEndTexts) {
  const SmallDecoder small(small_model("llama"), at::kDouble);
  Engine engine(small.decoder(), {.num_tokens = kTokens, .num_slots = 2});
  DecodingOptions greedy;
  greedy.temperature = 0;
  greedy.max_new_tokens = 10;
  const std::vector<int32_t> free = generate_tokens(engine, prompt_of(5, 1), greedy);
  const auto first_of = [&](int32_t token) {
    return std::ranges::find(free, token) - free.begin();
  };
  greedy.end_tokens = {free[4]};
  EXPECT_EQ(static_cast<int64_t>(generate_tokens(engine, prompt_of(5, 1), greedy).size()),
            first_of(free[4]));
  greedy.min_new_tokens = 10;
  const std::vector<int32_t> longer = generate_tokens(engine, prompt_of(5, 1), greedy);
  EXPECT_EQ(longer.size(), 10U);
  EXPECT_EQ(std::ranges::count(longer, free[4]), 0);
}

// Defect: a kernel that leaves out the tail of a row, or whose sums depend on the rows beside.
TEST(FewRows, AgreeWithDoublePrecisionAndWithThemselves) {
  at::manual_seed(3);
  for (const at::ScalarType type : {at::kBFloat16, at::kFloat}) {
    for (const int64_t width : {5, 16, 50, 192}) {
      const at::Tensor x = at::randn({kMostFewRows, width}).to(type);
      const at::Tensor weight = at::randn({37, width}).to(type);
      const at::Tensor bias = at::randn({37}).to(type);
      const at::Tensor expected =
          at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
      const at::Tensor all = inferred_linear(x, weight, bias, at::kFloat);
      EXPECT_LE((all - expected).abs().max().item<double>(), 3e-5) << type << " " << width;
      for (const int64_t rows : {1, 2, 3, 5, 13}) {
        EXPECT_TRUE(at::equal(inferred_linear(x.narrow(0, 7, rows), weight, bias, at::kFloat),
                              all.narrow(0, 7, rows)))
            << rows << " rows of " << width;
      }
    }
  }
}

// All texts of so many tokens, by their probability.
void visit_texts(const Decoder& decoder, std::vector<int32_t> tokens, int64_t left, double sum,
                 int64_t num_tokens, std::vector<BeamText>& found) {
  if (left == 0) {
    found.push_back({{tokens.end() - 3, tokens.end()}, sum / 3});
    return;
  }
  const at::Tensor logits = decoder.head().logits(whole(decoder, tokens)).select(0, -1);
  const at::Tensor log = at::log_softmax(logits.narrow(0, 0, num_tokens), 0);
  tokens.push_back(0);
  for (int64_t t = 0; t < num_tokens; ++t) {
    tokens.back() = static_cast<int32_t>(t);
    visit_texts(decoder, tokens, left - 1, sum + log[t].item<double>(), num_tokens, found);
  }
}

// Defect: a beam that goes on with another's cache, a score without its length, a text that is
// lost.
TEST(BeamSearch, OfManyBeamsFindsTheLikeliestTexts) {
  const at::NoGradGuard no_gradients;
  const SmallDecoder small(small_model("llama"), at::kDouble);
  constexpr int64_t kFew = 4;
  std::vector<BeamText> all;
  visit_texts(small.decoder(), prompt_of(4, 2), 3, 0, kFew, all);
  std::ranges::stable_sort(all, std::greater(), &BeamText::score);
  DecodingOptions decoding;
  decoding.max_new_tokens = 3;
  const std::vector<BeamText> found =
      beam_search(small.decoder(), kFew, prompt_of(4, 2), decoding, {.num_beams = 16});
  ASSERT_EQ(found.size(), 16U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found[i].tokens, all[i].tokens) << i;
    EXPECT_NEAR(found[i].score, all[i].score, 1e-12);
  }
}

}  // namespace
}  // namespace lmtrain
