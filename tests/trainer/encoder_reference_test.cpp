// BERT and its form with norms before against the transformers package, as
// decoder_reference_test.cpp: samples of unequal length, two segments, masked places.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "models/encoder.h"
#include "models/functions.h"
#include "models/huggingface/model_json.h"
#include "models/huggingface/safetensors.h"
#include "models/huggingface/tensor_map.h"
#include "tests/test_device.h"

namespace lmtrain {
namespace {

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

struct Case {
  std::string family;
  at::ScalarType type;
  double tolerance;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.family << " in " << c.type; }

class EncoderReference : public testing::TestWithParam<Case> {
 protected:
  EncoderReference()
      : folder(std::string(LMTRAIN_SOURCE_DIR "/tests/fixtures/models/") + GetParam().family),
        reference(model_from_json(nlohmann::json::parse(read_file(folder / "config.json")),
                                  GetParam().family)),
        expected(folder / "expected.safetensors"),
        store(GetParam().type, kTestDevice) {
    reference.config.head = bert_head(SafetensorsFolder(folder));
    ModelConfig config = reference.config;
    config.vocab_size += 3;  // padded rows must change nothing
    config.dropout = 0.0;
    model.emplace(config, reference.num_tokens, store, *alone);
    store.allocate(1);
    parts = tensor_parts(config, reference.num_tokens);
    for (const Parameter* parameter : store.parameters())
      shapes[parameter->spec().name] = parameter->spec().logical_shape;
    const NamedTensors theirs = read_huggingface(SafetensorsFolder(folder), parts, shapes, "it");
    for (const auto& [name, tensor] : from_huggingface(parts, theirs, shapes)) {
      for (Parameter* parameter : store.parameters()) {
        if (parameter->spec().name == name) parameter->unpadded(parameter->master()).copy_(tensor);
      }
    }
    store.refresh_compute();
    input.ids = on_device("ids");
    input.positions =
        at::arange(input.ids.size(1), input.ids.options()).expand_as(input.ids).contiguous();
    input.segments = on_device("segments");
    input.mask = full_mask(on_device("lengths").to(at::kInt), input.ids.size(1));
    targets.places = on_device("places");
    targets.labels = on_device("labels");
    targets.weights = at::ones({targets.labels.numel()}).to(kTestDevice);
    targets.sentence_labels = on_device("sentence_labels");
  }

  at::Tensor on_device(const std::string& name) const {
    return expected.read(name).to(kTestDevice);
  }

  // Where a sample has tokens; padded places have no meaning.
  at::Tensor is_real() const {
    return at::arange(input.ids.size(1)).lt(expected.read("lengths").unsqueeze(1)).unsqueeze(-1);
  }

  std::filesystem::path folder;
  HuggingfaceModel reference;
  SafetensorsFile expected;
  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::optional<Encoder> model;
  std::vector<TensorPart> parts;
  NamedShapes shapes;
  ModelInput input;
  Targets targets;
};

// Defect: another formula anywhere, norms in the wrong place, padding or segments that are not
// seen, a tensor of transformers put in the wrong place.
TEST_P(EncoderReference, LogitsEqualThoseOfTransformers) {
  const at::NoGradGuard no_gradients;
  const at::Tensor hidden = model->hidden(input);
  const at::Tensor got = model->log_probabilities(as_rows(hidden)).to(at::kCPU, at::kDouble);
  const at::Tensor want = expected.read("logits").log_softmax(-1);
  EXPECT_LE(largest((got.view_as(want) - want) * is_real()), GetParam().tolerance);
  if (!expected.entries().contains("sentence_logits")) return;
  EXPECT_LE(largest(model->sentence_logits(hidden).cpu() - expected.read("sentence_logits")),
            GetParam().tolerance);
}

// Defect: any error of a backward function, the head computed at other places than the masked
// ones, a missing use of the tied table, a sum in place of a mean.
TEST_P(EncoderReference, LossAndEveryGradientEqualThoseOfTransformers) {
  store.begin_step();
  store.begin_micro_batch(true);
  const LossScales scales = {1.0 / static_cast<double>(targets.labels.numel()), 1.0 / 3.0, 0.0};
  const ModelLoss loss = model->loss(input, targets, scales);
  loss.total.backward();
  EXPECT_NEAR(loss.total.item<double>(), expected.read("loss").item<double>(),
              GetParam().tolerance);
  double by_samples = 0;
  for (const SampleScore& sample : loss.samples())
    by_samples += sample.loss * scales.targets + sample.sentence_loss * scales.sentences;
  EXPECT_NEAR(by_samples, loss.total.item<double>(), 1e-5);

  NamedTensors ours;
  for (const Parameter* parameter : store.parameters())
    ours[parameter->spec().name] =
        parameter->unpadded(parameter->gradient()).to(at::kCPU, at::kDouble);
  double largest_of_all = 0;
  const NamedTensors got = to_huggingface(parts, ours);
  for (const auto& [name, tensor] : got)
    largest_of_all = std::max(largest_of_all, largest(expected.read("gradient." + name)));
  for (const auto& [name, tensor] : got) {
    const at::Tensor want = expected.read("gradient." + name);
    EXPECT_LE(largest(tensor - want) / (largest(want) + 1e-3 * largest_of_all),
              GetParam().tolerance)
        << name;
  }
}

// Defect: accuracy that counts other places than the masked ones, or takes padded entries of the
// vocabulary.
TEST_P(EncoderReference, CountsCorrectPredictions) {
  const at::NoGradGuard no_gradients;
  const at::Tensor best =
      expected.read("logits").flatten(0, 1).index_select(0, targets.places.cpu());
  targets.labels = best.argmax(-1).to(kTestDevice);
  targets.labels[0] = (targets.labels[0] + 1).remainder(reference.num_tokens);
  int64_t correct = 0;
  for (const SampleScore& sample : model->loss(input, targets, {}).samples())
    correct += sample.num_correct;
  EXPECT_EQ(correct, targets.labels.numel() - 1);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string family : {"bert", "bert_masked", "megatron_bert"}) {
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
