// Heads of labels against the transformers package: of texts, of numbers, of tokens, of answers, on
// an encoder and on decoders; samples of unequal length, padded.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/label_head.h"
#include "tests/trainer/step/reference_model.h"

namespace lmtrain {
namespace {

struct Case {
  std::string name;
  at::ScalarType type;
  double tolerance;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name << " in " << c.type; }

class LabelReference : public testing::TestWithParam<Case> {
 protected:
  LabelReference() : it("heads/" + GetParam().name, GetParam().type) {
    TokenBatch tokens;
    tokens.ids = it.on_device("ids");
    tokens.lengths = it.on_device("lengths");
    if (it.config.traits().num_segments > 1) tokens.segments = it.on_device("segments");
    input = make_input(it.config, tokens);
    if (it.config.is_regression()) {
      targets.values = it.on_device("labels").to(at::kFloat);
      num_targets = targets.values.numel();
    } else {
      targets.labels = it.on_device("labels");
      num_targets = targets.labels.ge(0).sum().item<int64_t>();
      if (it.config.answers_questions()) num_targets /= 2;
    }
  }

  // Logits of padded tokens have no meaning.
  at::Tensor without_padding(const at::Tensor& logits) const {
    if (logits.dim() == 2) return logits;
    const at::Tensor lengths = it.expected.read("lengths").unsqueeze(1);
    return logits * at::arange(logits.size(1)).lt(lengths).unsqueeze(-1);
  }

  ReferenceModel it;
  ModelInput input;
  Targets targets;
  int64_t num_targets = 0;
};

// Defect: a head on other rows than the originals', a bias too many, padding taken for the last
// token, labels in another order.
TEST_P(LabelReference, LogitsEqualThoseOfTransformers) {
  const at::NoGradGuard no_gradients;
  const at::Tensor got = it.model->label_logits(input).to(at::kCPU, at::kDouble);
  const at::Tensor want = it.expected.read("logits");
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LE(largest(without_padding(got - want)), GetParam().tolerance);
}

// Defect: another loss, a mean over other things than those with a label, a gradient that does not
// reach every parameter.
TEST_P(LabelReference, LossAndEveryGradientEqualThoseOfTransformers) {
  it.store.begin_step();
  it.store.begin_micro_batch(true);
  const ModelLoss loss =
      it.model->loss(input, targets, {.targets = 1.0 / static_cast<double>(num_targets)});
  loss.total.backward();
  EXPECT_NEAR(loss.total.item<double>(), it.expected.read("loss").item<double>(),
              GetParam().tolerance);
  EXPECT_LE(it.gradient_error(), GetParam().tolerance);
  double by_samples = 0;
  for (const SampleScore& sample : loss.samples()) by_samples += sample.loss;
  EXPECT_NEAR(by_samples / static_cast<double>(num_targets), loss.total.item<double>(), 1e-5);
}

// Defect: accuracy that counts what has no label, or half an answer.
TEST_P(LabelReference, CountsCorrectLabels) {
  if (it.config.is_regression()) return;
  const at::NoGradGuard no_gradients;
  const at::Tensor logits = it.model->label_logits(input);
  const at::Tensor is_padding = at::arange(input.ids.size(1), input.ids.options())
                                    .ge(input.lengths.unsqueeze(1))
                                    .unsqueeze(1);
  const at::Tensor by_label =
      it.config.answers_questions() ? logits.transpose(1, 2).masked_fill(is_padding, -1e9) : logits;
  const at::Tensor known = targets.labels.ge(0);
  targets.labels = at::where(known, by_label.argmax(-1), -1);
  const auto count = [&] {
    int64_t correct = 0;
    for (const SampleScore& sample : it.model->loss(input, targets, {}).samples())
      correct += sample.num_correct;
    return correct;
  };
  EXPECT_EQ(count(), num_targets);
  const at::Tensor one = targets.labels.view({-1})[0];
  one.copy_((one + 1).remainder(it.config.answers_questions() ? input.ids.size(1) : 4));
  EXPECT_EQ(count(), num_targets - 1);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string name :
       {"bert_sequence", "bert_regression", "bert_token", "bert_answer", "gpt2_sequence",
        "gpt2_token", "gpt2_answer", "llama_sequence", "llama_token", "llama_answer",
        "roberta_sequence", "roberta_token", "distilbert_sequence", "distilbert_answer",
        "qwen2_sequence", "mistral_sequence"}) {
    all.push_back({name, at::kDouble, 1e-9});
    all.push_back({name, at::kFloat, 5e-4});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Heads, LabelReference, testing::ValuesIn(cases()), [](const auto& c) {
  return c.param.name + (c.param.type == at::kDouble ? "_fp64" : "_fp32");
});

}  // namespace
}  // namespace lmtrain
