// BERT and its form with norms before against the transformers package, as
// decoder_reference_test.cpp: samples of unequal length, two segments, masked places.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/encoder.h"
#include "models/functions.h"
#include "tests/trainer/step/reference_model.h"

namespace lmtrain {
namespace {

struct Case {
  std::string family;
  at::ScalarType type;
  double tolerance;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.family << " in " << c.type; }

class EncoderReference : public testing::TestWithParam<Case> {
 protected:
  EncoderReference() : it(GetParam().family, GetParam().type) {
    TokenBatch tokens;
    tokens.ids = it.on_device("ids");
    tokens.lengths = it.on_device("lengths");
    if (it.config.traits().num_segments > 1) tokens.segments = it.on_device("segments");
    input = make_input(it.config, tokens);
    targets.places = it.on_device("places");
    targets.labels = it.on_device("labels");
    targets.weights = at::ones({targets.labels.numel()}).to(kTestDevice);
    targets.sentence_labels = it.on_device("sentence_labels");
  }

  const Encoder& model() const { return dynamic_cast<const Encoder&>(*it.model); }

  // Where a sample has tokens; padded places have no meaning.
  at::Tensor is_real() const {
    return at::arange(input.ids.size(1)).lt(it.expected.read("lengths").unsqueeze(1)).unsqueeze(-1);
  }

  ReferenceModel it;
  ModelInput input;
  Targets targets;
};

// Defect: another formula anywhere, norms in the wrong place, padding or segments that are not
// seen, a tensor of transformers put in the wrong place.
TEST_P(EncoderReference, LogitsEqualThoseOfTransformers) {
  const at::NoGradGuard no_gradients;
  const at::Tensor hidden = model().hidden(input);
  const at::Tensor got = model().log_probabilities(as_rows(hidden)).to(at::kCPU, at::kDouble);
  const at::Tensor want = it.expected.read("logits").log_softmax(-1);
  EXPECT_LE(largest((got.view_as(want) - want) * is_real()), GetParam().tolerance);
  if (!it.expected.entries().contains("sentence_logits")) return;
  EXPECT_LE(largest(model().sentence_logits(hidden).cpu() - it.expected.read("sentence_logits")),
            GetParam().tolerance);
}

// Defect: any error of a backward function, the head computed at other places than the masked
// ones, a missing use of the tied table, a sum in place of a mean.
TEST_P(EncoderReference, LossAndEveryGradientEqualThoseOfTransformers) {
  it.store.begin_step();
  it.store.begin_micro_batch(true);
  const LossScales scales = {1.0 / static_cast<double>(targets.labels.numel()), 1.0 / 3.0, 0.0};
  const ModelLoss loss = model().loss(input, targets, scales);
  loss.total.backward();
  EXPECT_NEAR(loss.total.item<double>(), it.expected.read("loss").item<double>(),
              GetParam().tolerance);
  double by_samples = 0;
  for (const SampleScore& sample : loss.samples())
    by_samples += sample.loss * scales.targets + sample.sentence_loss * scales.sentences;
  EXPECT_NEAR(by_samples, loss.total.item<double>(), 1e-5);

  EXPECT_LE(it.gradient_error(), GetParam().tolerance);
}

// Defect: accuracy that counts other places than the masked ones, or takes padded entries of the
// vocabulary.
TEST_P(EncoderReference, CountsCorrectPredictions) {
  const at::NoGradGuard no_gradients;
  const at::Tensor best =
      it.expected.read("logits").flatten(0, 1).index_select(0, targets.places.cpu());
  targets.labels = best.argmax(-1).to(kTestDevice);
  targets.labels[0] = (targets.labels[0] + 1).remainder(it.reference.num_tokens);
  int64_t correct = 0;
  for (const SampleScore& sample : model().loss(input, targets, {}).samples())
    correct += sample.num_correct;
  EXPECT_EQ(correct, targets.labels.numel() - 1);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string family :
       {"bert", "bert_masked", "megatron_bert", "roberta", "distilbert"}) {
    all.push_back({family, at::kDouble, 1e-9});
    all.push_back({family, at::kFloat, 1e-4});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, EncoderReference, testing::ValuesIn(cases()), [](const auto& c) {
  return c.param.family + (c.param.type == at::kDouble ? "_fp64" : "_fp32");
});

}  // namespace
}  // namespace lmtrain
