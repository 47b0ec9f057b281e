// Vectors in place of token ids, and what the blocks attend to.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "models/model.h"

namespace lmtrain {
namespace {

constexpr int64_t kTokens = 61;

ModelConfig small_model(const std::string& kind) {
  ModelConfig config;
  config.kind = kind;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = kind == "mistral" ? 2 : 0;
  config.hidden_size = 32;
  config.feed_forward_size = 48;
  config.max_positions = 24;
  config.vocab_size = 64;
  config.sliding_window = kind == "mistral" ? 3 : 0;
  return config;
}

// A model in fp64 whose store is that of inference: it keeps no gradients of weights.
struct InferredModel {
  explicit InferredModel(const ModelConfig& config) : store(at::kDouble, at::kCPU) {
    model = make_model(config, kTokens, store, *alone);
    store.allocate(0, StoreUse::kInference);
    at::manual_seed(5);
    const at::NoGradGuard no_gradients;
    for (const Parameter* parameter : store.parameters()) parameter->master().normal_(0.0, 0.3);
  }

  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::unique_ptr<Model> model;
};

at::Tensor some_ids() { return (at::arange(14, at::kLong) * 7 % kTokens).view({2, 7}); }

class TokenVectors : public testing::TestWithParam<std::string> {};

// Defect: a model that reads other vectors than the embedding's own.
TEST_P(TokenVectors, OfTheEmbeddingChangeNothing) {
  const at::NoGradGuard no_gradients;
  const InferredModel small(small_model(GetParam()));
  ModelInput input = make_input(small.model->config(), {.ids = some_ids()});
  const at::Tensor expected = small.model->hidden(input);
  input.token_vectors = small.model->token_vectors(input.ids);
  EXPECT_EQ(input.token_vectors.sizes(), at::IntArrayRef({2, 7, 32}));
  EXPECT_TRUE(at::equal(small.model->hidden(input), expected));
}

// Defect: a layer whose backward gives a wrong gradient, or none, where weights have none.
TEST_P(TokenVectors, HaveTheGradientOfFiniteDifferences) {
  const InferredModel small(small_model(GetParam()));
  ModelInput input = make_input(small.model->config(), {.ids = some_ids()});
  const at::Tensor vectors = small.model->token_vectors(input.ids);
  const at::Tensor mix = at::randn({2, 7, 32}, at::kDouble);
  const auto score = [&](const at::Tensor& x) {
    input.token_vectors = x;
    return small.model->hidden(input).mul(mix).sum();
  };
  const at::Tensor leaf = vectors.clone().requires_grad_(true);
  const at::Tensor gradient = torch::autograd::grad({score(leaf)}, {leaf})[0];
  const at::NoGradGuard no_gradients;
  constexpr double kStep = 1e-5;
  for (const int64_t place : {0, 40, 130, 223, 300, 447}) {
    at::Tensor step = at::zeros({448}, at::kDouble);
    step[place] = kStep;
    step = step.view({2, 7, 32});
    const double expected =
        (score(vectors + step) - score(vectors - step)).item<double>() / (2 * kStep);
    EXPECT_NEAR(gradient.flatten()[place].item<double>(), expected,
                1e-6 * std::abs(expected) + 1e-7);
  }
}

// Defect: maps of the wrong block, of what the mask hides, or that do not add up to 1.
TEST_P(TokenVectors, AreLookedAtWhereTheMaskAllows) {
  const at::NoGradGuard no_gradients;
  const InferredModel small(small_model(GetParam()));
  ModelInput input = make_input(small.model->config(),
                                {.ids = some_ids(), .lengths = at::tensor({7, 4}, at::kLong)});
  const at::Tensor expected = small.model->hidden(input);
  std::vector<at::Tensor> maps;
  input.on_attention = [&](const at::Tensor& map) { maps.push_back(map); };
  EXPECT_TRUE(at::equal(small.model->hidden(input), expected));
  ASSERT_EQ(maps.size(), 2U);
  for (const at::Tensor& map : maps) {
    EXPECT_EQ(map.sizes(), at::IntArrayRef({2, 4, 7, 7}));
    EXPECT_TRUE(at::allclose(map.sum(-1), at::ones({2, 4, 7}, at::kDouble)));
    EXPECT_TRUE(at::equal(map > 0, input.mask.matrix().expand_as(map)));
  }
  EXPECT_FALSE(at::allclose(maps[0], maps[1]));
}

INSTANTIATE_TEST_SUITE_P(Families, TokenVectors,
                         testing::Values("gpt2", "llama", "mistral", "bert", "roberta",
                                         "distilbert"));

}  // namespace
}  // namespace lmtrain
