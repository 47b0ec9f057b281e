// The models and the optimizer against those of the transformers package on PyTorch, from what
// scripts/make_reference.py computed in fp64 (scripts/test.sh --oracle computes it afresh). Weights
// come in and gradients go out by the tensor map, under the names of transformers.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "models/decoder.h"
#include "parallel/gradient_sync.h"
#include "tests/trainer/step/reference_model.h"
#include "trainer/step/adamw.h"
#include "trainer/step/gradient_norm.h"
#include "trainer/step/optimizers.h"

namespace lmtrain {
namespace {

struct Subject : ReferenceModel {
  Subject(const std::string& family, at::ScalarType type)
      : ReferenceModel(family, type),
        ids(on_device("ids")),
        labels(on_device("labels")),
        weights(on_device("weights").to(at::kFloat)) {}

  const Decoder& decoder() const { return dynamic_cast<const Decoder&>(*model); }

  // One step's loss and gradients, `cuts` micro-batches.
  double loss_and_gradients(int64_t cuts = 1) {
    store.begin_step();
    double total = 0;
    const double scale = 1.0 / weights.sum().item<double>();
    for (int64_t cut = 0; cut < cuts; ++cut) {
      store.begin_micro_batch(cut + 1 == cuts);
      const int64_t rows = labels.size(0) / cuts;
      const auto part = [&](const at::Tensor& t) { return t.narrow(0, cut * rows, rows); };
      const VocabLoss loss = decoder().head().loss(
          decoder().hidden(make_input(decoder().config(), {.ids = part(ids)})), part(labels),
          part(weights), {.scale = scale});
      loss.total.backward();
      total += loss.total.item<double>();
    }
    return total;
  }

  at::Tensor ids;
  at::Tensor labels;
  at::Tensor weights;
};

struct Case {
  std::string family;
  at::ScalarType type;
  double logits, loss, gradients;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.family << " in " << c.type; }

class DecoderReference : public testing::TestWithParam<Case> {
 protected:
  Subject subject{GetParam().family, GetParam().type};
};

// Defect: another formula anywhere in the forward pass, padded vocabulary entries that take
// probability, a tensor of transformers put in the wrong place.
TEST_P(DecoderReference, LogitsEqualThoseOfTransformers) {
  const at::NoGradGuard no_gradients;
  const Decoder& model = subject.decoder();
  const at::Tensor logits =
      model.head()
          .logits(model.hidden(make_input(model.config(), {.ids = subject.ids})))
          .to(at::kCPU, at::kDouble);
  EXPECT_LE(largest(logits - subject.expected.read("logits")), GetParam().logits);
}

// Defect: any error of a backward function, a missing use of a table, a wrong mean over unequal
// samples.
TEST_P(DecoderReference, EveryGradientEqualsThatOfTransformers) {
  for (const int64_t cuts : {1, 3}) {
    EXPECT_NEAR(subject.loss_and_gradients(cuts), subject.expected.read("loss").item<double>(),
                GetParam().loss);
    EXPECT_LE(subject.gradient_error(), GetParam().gradients) << cuts << " micro-batches";
  }
}

// Defect: wrong bias correction, decay on norms or biases, decay of the gradient, clipping at the
// wrong place.
TEST_P(DecoderReference, TenAdamWStepsEqualThoseOfPyTorch) {
  if (!subject.expected.entries().contains("adamw.settings")) return;
  const at::Tensor settings = subject.expected.read("adamw.settings");
  const auto* const s = settings.data_ptr<double>();  // lr, both betas, eps, decay, clip
  OptimizerConfig optimizer;
  optimizer.betas = {s[1], s[2]};
  optimizer.eps = s[3];
  optimizer.weight_decay = s[4];
  subject.store.allocate_state([](const ParameterSpec&) { return adamw_state(); });
  const at::Tensor losses = subject.expected.read("adamw.losses");
  for (int64_t step = 0; step < losses.numel(); ++step) {
    EXPECT_NEAR(subject.loss_and_gradients(), losses[step].item<double>(), GetParam().loss)
        << "step " << step;
    const double norm = gradient_norm(subject.store, *subject.alone, *subject.alone);
    const double clip = norm > s[5] ? s[5] / (norm + 1e-6) : 1.0;
    adamw_update(subject.store, optimizer, s[0], step + 1, clip);
    subject.store.refresh_compute();
  }
  if (GetParam().type != at::kDouble) return;
  for (const auto& [name, tensor] :
       subject.exported([](const Parameter& p) { return p.master(); })) {
    EXPECT_LE(largest(tensor - subject.expected.read("updated." + name)), 1e-9) << name;
  }
}

// Defect: another momentum or Newton-Schulz step than PyTorch's, query, key and value or gate and
// up taken for one matrix, a matrix on its side, a rate scaled by another shape, a decay that is
// scaled, AdamW where Muon belongs or the other way round.
TEST_P(DecoderReference, TenMuonStepsEqualThoseOfPyTorch) {
  const std::filesystem::path file = subject.folder / "muon.safetensors";
  if (!std::filesystem::exists(file)) return;
  const SafetensorsFile want(file);
  const at::Tensor settings = want.read("settings");
  const auto* const m = settings.data_ptr<double>();
  const at::Tensor adamw = want.read("adamw");
  const auto* const a = adamw.data_ptr<double>();  // lr, both betas, eps, decay, clip
  OptimizerConfig config;
  config.kind = OptimizerKind::kMuon;
  config.lr = a[0];
  config.betas = {a[1], a[2]};
  config.eps = a[3];
  config.weight_decay = a[4];
  config.muon = {m[0],
                 m[1],
                 m[2],
                 m[3] != 0,
                 static_cast<int64_t>(m[4]),
                 m[5] != 0 ? AdjustLr::kMatchRmsAdamW : AdjustLr::kOriginal};
  const std::unique_ptr<Optimizer> muon = make_optimizer(config);
  subject.store.allocate_state(state_names(*muon));
  Mesh mesh(*subject.alone, *subject.alone, 1);
  const at::Tensor losses = want.read("losses");
  for (int64_t step = 0; step < losses.numel(); ++step) {
    EXPECT_NEAR(subject.loss_and_gradients(), losses[step].item<double>(), GetParam().loss)
        << "step " << step;
    const double norm = gradient_norm(subject.store, *subject.alone, *subject.alone);
    const double clip = norm > a[5] ? a[5] / (norm + 1e-6) : 1.0;
    muon->update(subject.store, mesh, {step + 1, clip, [](double peak) { return peak; }});
    subject.store.refresh_compute();
  }
  if (GetParam().type != at::kDouble) return;
  for (const auto& [name, tensor] :
       subject.exported([](const Parameter& p) { return p.master(); })) {
    EXPECT_LE(largest(tensor - want.read("updated." + name)), 1e-9) << name;
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string family : {"gpt2", "llama", "llama3", "qwen3", "qwen2", "mistral"}) {
    all.push_back({family, at::kDouble, 1e-9, 1e-9, 1e-9});
    all.push_back({family, at::kFloat, 1e-4, 1e-5, 1e-4});
    all.push_back({family, at::kBFloat16, 0.1, 0.02, 0.05});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, DecoderReference, testing::ValuesIn(cases()), [](const auto& c) {
  return c.param.family + (c.param.type == at::kDouble  ? "_fp64"
                           : c.param.type == at::kFloat ? "_fp32"
                                                        : "_bf16");
});

// Defect: z-loss left out of the gradient, or counted in the loss that records show. The gradient
// is compared with finite differences.
TEST(VocabLoss, ZLossIsPartOfTheGradientAndNotOfTheRecordedLoss) {
  const auto alone = make_single_communicator();
  ParameterStore store(at::kDouble, kTestDevice);
  ParameterUnit& unit = store.add_unit("head");
  Parameter& table = add_cut_table(store, unit, "table", {5, 6}, 4, *alone, 0.5, TableUse::kHead);
  store.allocate(3);
  const VocabHead head(table, /*bias=*/nullptr, *alone);
  const at::Tensor hidden = at::randn({1, 2, 4}, at::kDouble).to(kTestDevice).requires_grad_();
  const at::Tensor labels = at::tensor({1, 4}, at::kLong).view({1, 2}).to(kTestDevice);
  const at::Tensor weights = at::tensor({1.0F, 0.5F}).view({1, 2}).to(kTestDevice);
  const double z = 0.1;
  const auto total = [&](const at::Tensor& at) {
    const at::NoGradGuard no_gradients;
    return head.loss(at, labels, weights, {.scale = 2.0, .z_loss = z}).total.item<double>();
  };
  store.begin_step();
  store.begin_micro_batch(true);
  const VocabLoss loss = head.loss(hidden, labels, weights, {.scale = 2.0, .z_loss = z});
  loss.total.backward();
  const VocabLoss plain = head.loss(hidden.detach(), labels, weights, {.scale = 2.0});
  EXPECT_TRUE(at::equal(loss.log_probabilities, plain.log_probabilities));
  EXPECT_GT(loss.total.item<double>(), plain.total.item<double>());
  const double step = 1e-6;
  for (int64_t i = 0; i < hidden.numel(); ++i) {
    at::Tensor nudge = at::zeros_like(hidden);
    nudge.view({-1})[i] = step;
    const double slope =
        (total(hidden.detach() + nudge) - total(hidden.detach() - nudge)) / (2 * step);
    EXPECT_NEAR(hidden.grad().view({-1})[i].item<double>(), slope, 1e-8);
  }
  for (int64_t i = 0; i < 20; ++i) {
    const at::Tensor number = table.master().view({-1})[i];
    number.add_(step);
    const double above = total(hidden.detach());
    number.sub_(2 * step);
    const double slope = (above - total(hidden.detach())) / (2 * step);
    number.add_(step);
    EXPECT_NEAR(table.gradient().view({-1})[i].item<double>(), slope, 1e-8);
  }
}

// Defect: dropout that depends on how samples are cut into micro-batches, or a backward with
// another mask than forward.
TEST(Dropout, IsAFunctionOfTheGlobalSample) {
  const at::Tensor x = at::ones({4, 6, 40}, at::kFloat).to(kTestDevice).requires_grad_();
  const at::Tensor whole = dropout(x, {0.3, 7, 5, {11, 12, 13, 14}}, 2);
  const at::Tensor part = dropout(x.narrow(0, 2, 2), {0.3, 7, 5, {13, 14}}, 2);
  EXPECT_TRUE(at::equal(whole.narrow(0, 2, 2), part));
  EXPECT_FALSE(at::equal(whole, dropout(x, {0.3, 7, 6, {11, 12, 13, 14}}, 2)));
  whole.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), whole.detach()));
}

}  // namespace
}  // namespace lmtrain
