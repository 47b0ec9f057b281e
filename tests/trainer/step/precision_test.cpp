// How bf16 and fp32 differ in the course of a training.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/decoder.h"
#include "trainer/step/adamw.h"

namespace lmtrain {
namespace {

constexpr int64_t kVocabulary = 61;
constexpr int64_t kLength = 32;

// Texts in which each token follows from the one before by one of two rules: there is something to
// learn.
at::Tensor texts_of_step(int64_t step) {
  const at::Tensor texts = at::empty({8, kLength + 1}, at::kLong);
  for (int64_t s = 0; s < texts.size(0); ++s) {
    int64_t token = (step * 8 + s) * 17 % kVocabulary;
    for (int64_t t = 0; t <= kLength; ++t) {
      texts[s][t] = token;
      token = (step + s + t) % 3 == 0 ? (token * 5 + 1) % kVocabulary : (token + 7) % kVocabulary;
    }
  }
  return texts;
}

std::vector<double> losses_of_fifty_steps(at::ScalarType type) {
  ModelConfig config;
  config.num_layers = 2;
  config.num_heads = 2;
  config.hidden_size = 64;
  config.max_positions = kLength;
  config.vocab_size = kVocabulary;
  ParameterStore store(type, at::kCPU);
  const auto alone = make_single_communicator();
  Decoder model(config, kVocabulary, store, *alone);
  store.allocate(5);
  store.allocate_state([](const ParameterSpec&) { return adamw_state(); });
  std::vector<double> losses;
  const at::Tensor weights = at::ones({8, kLength});
  for (int64_t step = 0; step < 50; ++step) {
    const at::Tensor texts = texts_of_step(step);
    const at::Tensor ids = texts.narrow(1, 0, kLength).contiguous();
    store.begin_step();
    store.begin_micro_batch(true);
    const VocabLoss loss = model.head().loss(model.hidden(make_input(model.config(), {.ids = ids})),
                                             texts.narrow(1, 1, kLength).contiguous(), weights,
                                             {.scale = 1.0 / weights.sum().item<double>()});
    loss.total.backward();
    losses.push_back(-loss.log_probabilities.to(at::kDouble).mean().item<double>());
    adamw_update(store, OptimizerConfig{}, 3e-3, step + 1, 1.0);
    store.refresh_compute();
  }
  return losses;
}

// Defect: losses rounded to bf16 (1/64 near 3), gradients or moments kept in bf16, master weights
// that lose small updates.
TEST(Precision, TheBf16CurveFollowsTheFp32Curve) {
  const std::vector<double> fp32 = losses_of_fifty_steps(at::kFloat);
  const std::vector<double> bf16 = losses_of_fifty_steps(at::kBFloat16);
  ASSERT_LT(fp32.back(), fp32.front() - 0.5) << "nothing was learned, so the curves say nothing";
  double worst = 0;
  double mean = 0;
  for (size_t step = 0; step < fp32.size(); ++step) {
    worst = std::max(worst, std::abs(bf16[step] - fp32[step]));
    mean += (bf16[step] - fp32[step]) / static_cast<double>(fp32.size());
  }
  EXPECT_LE(worst, 0.02);
  EXPECT_LE(std::abs(mean), 0.005);
}

}  // namespace
}  // namespace lmtrain
