// The model and the optimizer against GPT-2 of the transformers package on PyTorch, from the
// numbers that scripts/make_reference.py computed in fp64 (scripts/test.sh --oracle computes them
// afresh).
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "models/gpt2.h"
#include "parallel/gradient_sync.h"
#include "trainer/adamw.h"

namespace lmtrain {
namespace {

using nlohmann::json;

const json& reference() {
  static const json stored =
      json::parse(read_file(LMTRAIN_SOURCE_DIR "/tests/fixtures/models/gpt2.json"));
  return stored;
}

at::Tensor values(const json& list) {
  return at::tensor(list.get<std::vector<double>>(), at::kDouble);
}
at::Tensor indices(const json& list) {
  return at::tensor(list.get<std::vector<int64_t>>(), at::kLong);
}

// The reference's model with its weights, in one precision.
struct Subject {
  explicit Subject(at::ScalarType type) : store(type, at::kCPU) {
    const json& r = reference();
    config.num_layers = r["layers"];
    config.num_heads = r["heads"];
    config.hidden_size = r["width"];
    config.max_positions = r["positions"];
    config.vocab_size = r["vocab"].get<int64_t>() + 3;  // padded rows must change nothing
    model = std::make_unique<Gpt2>(config, r["vocab"], store, *alone);
    store.allocate(1);
    for (Parameter* parameter : store.parameters()) {
      const at::Tensor from = values(r["parameters"][parameter->spec().name]);
      logical(parameter, parameter->master()).copy_(from.view(parameter->spec().logical_shape));
    }
    store.refresh_compute();
    const std::vector<int64_t> shape = {r["samples"], r["length"]};
    input.ids = indices(r["ids"]).view(shape);
    input.positions = at::arange(shape[1], at::kLong).expand(shape).contiguous();
    labels = indices(r["labels"]).view(shape);
    weights = values(r["weights"]).to(at::kFloat).view(shape);
  }

  static at::Tensor logical(const Parameter* parameter, const at::Tensor& tensor) {
    return tensor.narrow(0, 0, parameter->spec().logical_shape[0]);
  }

  // One step's loss and gradients, `cuts` micro-batches.
  double loss_and_gradients(int64_t cuts = 1) {
    store.begin_step();
    double total = 0;
    const double scale = 1.0 / weights.sum().item<double>();
    for (int64_t cut = 0; cut < cuts; ++cut) {
      store.begin_micro_batch(cut + 1 == cuts);
      const int64_t rows = labels.size(0) / cuts;
      const auto part = [&](const at::Tensor& t) { return t.narrow(0, cut * rows, rows); };
      const VocabLoss loss =
          model->head().loss(model->hidden({part(input.ids), part(input.positions), {}}),
                             part(labels), part(weights), scale);
      loss.total.backward();
      total += loss.total.item<double>();
    }
    return total;
  }

  ModelConfig config;
  std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store;
  std::unique_ptr<Gpt2> model;
  DecoderInput input;
  at::Tensor labels;
  at::Tensor weights;
};

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

// Largest error over (largest of that tensor + 1e-3 of the largest of all).
double gradient_error(const Subject& subject, const json& expected) {
  double largest_of_all = 0;
  for (const auto& [name, list] : expected.items())
    largest_of_all = std::max(largest_of_all, largest(values(list)));
  double worst = 0;
  for (const Parameter* parameter : subject.store.parameters()) {
    const at::Tensor want =
        values(expected[parameter->spec().name]).view(parameter->spec().logical_shape);
    const at::Tensor have = Subject::logical(parameter, parameter->gradient()).to(at::kDouble);
    worst = std::max(worst, largest(have - want) / (largest(want) + 1e-3 * largest_of_all));
  }
  return worst;
}

struct Tolerance {
  at::ScalarType type;
  double logits;
  double loss;
  double gradients;
};
class Gpt2Reference : public testing::TestWithParam<Tolerance> {};

// Defect: any error of the forward pass, or padded vocabulary entries that take probability.
TEST_P(Gpt2Reference, LogitsEqualThoseOfTransformers) {
  Subject subject(GetParam().type);
  const at::NoGradGuard no_gradients;
  const at::Tensor logits =
      subject.model->head().logits(subject.model->hidden(subject.input)).to(at::kDouble);
  EXPECT_LE(largest(logits.reshape({-1}) - values(reference()["logits"])), GetParam().logits);
}

// Defect: any error of a backward function, a missing use of the tied table, a wrong mean over
// unequal samples.
TEST_P(Gpt2Reference, EveryGradientEqualsThatOfTransformers) {
  Subject subject(GetParam().type);
  for (const int64_t cuts : {1, 3}) {
    EXPECT_NEAR(subject.loss_and_gradients(cuts), reference()["losses"][0].get<double>(),
                GetParam().loss);
    EXPECT_LE(gradient_error(subject, reference()["gradients"]), GetParam().gradients)
        << cuts << " micro-batches";
  }
}

// Defect: wrong bias correction, decay on norms or biases, decay of the gradient, clipping at the
// wrong place.
TEST_P(Gpt2Reference, TenAdamWStepsEqualThoseOfPyTorch) {
  Subject subject(GetParam().type);
  const json& r = reference();
  OptimizerConfig optimizer;
  optimizer.betas = r["betas"].get<std::vector<double>>();
  optimizer.eps = r["eps"];
  optimizer.weight_decay = r["decay"];
  for (size_t step = 0; step < r["losses"].size(); ++step) {
    EXPECT_NEAR(subject.loss_and_gradients(), r["losses"][step].get<double>(), GetParam().loss)
        << "step " << step;
    const double norm = gradient_norm(subject.store);
    const double clip = norm > r["clip"] ? r["clip"].get<double>() / (norm + 1e-6) : 1.0;
    adamw_update(subject.store, optimizer, r["lr"], static_cast<int64_t>(step) + 1, clip);
  }
  if (GetParam().type != at::kDouble) return;
  for (const Parameter* parameter : subject.store.parameters()) {
    const at::Tensor want =
        values(r["updated"][parameter->spec().name]).view(parameter->spec().logical_shape);
    EXPECT_LE(largest(Subject::logical(parameter, parameter->master()) - want), 1e-9)
        << parameter->spec().name;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, Gpt2Reference,
                         testing::Values(Tolerance{at::kDouble, 1e-9, 1e-9, 1e-9},
                                         Tolerance{at::kFloat, 1e-4, 1e-5, 1e-4}),
                         [](const auto& tolerance) {
                           return tolerance.param.type == at::kDouble ? "fp64" : "fp32";
                         });

// Defect: dropout that depends on how samples are cut into micro-batches, or a backward with
// another mask than forward.
TEST(Dropout, IsAFunctionOfTheGlobalSample) {
  const at::Tensor x = at::ones({4, 6, 40}, at::kFloat).requires_grad_();
  const at::Tensor whole = dropout(x, {0.3, 7, 5, {11, 12, 13, 14}}, 2);
  const at::Tensor part = dropout(x.narrow(0, 2, 2), {0.3, 7, 5, {13, 14}}, 2);
  EXPECT_TRUE(at::equal(whole.narrow(0, 2, 2), part));
  EXPECT_FALSE(at::equal(whole, dropout(x, {0.3, 7, 6, {11, 12, 13, 14}}, 2)));
  whole.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), whole.detach()));
}

// Defect: the dropout path computes another attention than the flash path.
TEST(Attention, DropoutPathAgreesWithFlashWhereNothingFalls) {
  const at::Tensor q = at::randn({2, 3, 9, 8}, at::kDouble);
  const at::Tensor k = at::randn({2, 3, 9, 8}, at::kDouble);
  const at::Tensor v = at::randn({2, 3, 9, 8}, at::kDouble);
  const DropoutContext tiny{1e-9, 1, 1, {0, 1}};  // rounds to a probability of zero
  EXPECT_LE(largest(causal_attention(q, k, v, {tiny, 1, 0}) - causal_attention(q, k, v, {})),
            1e-12);
}

}  // namespace
}  // namespace lmtrain
