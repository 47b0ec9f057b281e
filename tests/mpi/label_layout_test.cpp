// Label heads on a model that is cut, at 1, 2 and 4 ranks.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/decoder.h"
#include "models/encoder.h"
#include "parallel/gradient_sync.h"
#include "parallel/logical_tensors.h"
#include "tests/mpi/mpi_main.h"

namespace lmtrain {
namespace {

constexpr int64_t kSamples = 2;
constexpr int64_t kLength = 8;

struct Outcome {
  double loss = 0;
  at::Tensor logits;
  std::map<std::string, at::Tensor> gradients;
};

Targets targets_of(const ModelConfig& config) {
  Targets targets;
  if (config.is_regression()) {
    targets.values = at::tensor({0.5F, -1.0F});
  } else if (config.classifies_texts()) {
    targets.labels = at::tensor({1, 2}, at::kLong);
  } else if (config.answers_questions()) {
    targets.labels = at::tensor({1, 3, 2, 2}, at::kLong).view({kSamples, 2});
  } else {
    targets.labels =
        at::arange(kSamples * kLength, at::kLong).remainder(3).view({kSamples, kLength});
  }
  return targets;
}

// Runs one forward and backward on all ranks of the tensor axis.
Outcome run(const ModelConfig& config, Communicator& tensor, bool sequence) {
  const auto alone = make_single_communicator();
  ParameterStore store(at::kDouble, at::kCPU);
  const auto model = make_model(config, 61, store, {tensor, sequence});
  GradientSync sync(store, *alone, tensor, {1 << 20, at::kDouble});
  store.allocate(3);
  const at::Tensor ids =
      at::arange(kSamples * kLength, at::kLong).mul(7).remainder(61).view({kSamples, kLength});
  ModelInput input = make_input(config, {.ids = ids});
  input.lengths = at::tensor({kLength, kLength - 3}, at::kLong);
  Outcome outcome;
  outcome.logits = model->label_logits(input).detach();
  store.begin_step();
  store.begin_micro_batch(/*is_last=*/true);
  const ModelLoss loss = model->loss(input, targets_of(config), {.targets = 0.25});
  store.begin_backward();
  loss.total.backward();
  sync.finish();
  outcome.loss = loss.total.item<double>();
  for (const auto& unit : store.units()) {
    for_each_logical(*unit, kGradient, store.sharding(), tensor,
                     [&](const Parameter& parameter, const at::Tensor& gradient) {
                       outcome.gradients[parameter.spec().name] = gradient.clone();
                     });
  }
  return outcome;
}

// Defect: the gradient of the head, which every rank has whole, is summed over the ranks, or that
// of the model below it is not.
TEST(LabelHeads, AreTheSameWhereTheModelIsCut) {
  Communicator& world = mpi_launch().world();
  const auto alone = make_single_communicator();
  for (const char* kind : {"gpt2", "llama", "bert"}) {
    for (const char* head :
         {"sequence_classification", "token_classification", "question_answering", "regression"}) {
      ModelConfig config;
      config.kind = kind;
      config.head = choice_of<HeadKind>(head).value_or(HeadKind::kSequenceClassification);
      config.labels = head == std::string("regression") ? std::vector<std::string>{"value"}
                                                        : std::vector<std::string>{"a", "b", "c"};
      config.num_layers = 2;
      config.num_heads = 4;
      config.hidden_size = 16;
      config.max_positions = kLength;
      config.vocab_size = 61;
      const Outcome one = run(config, *alone, false);
      for (const bool sequence : {false, true}) {
        const Outcome cut = run(config, world, sequence);
        EXPECT_NEAR(cut.loss, one.loss, 1e-12) << kind << " " << head;
        EXPECT_TRUE(at::allclose(cut.logits, one.logits, 0, 1e-12)) << kind << " " << head;
        for (const auto& [name, gradient] : one.gradients)
          EXPECT_TRUE(at::allclose(cut.gradients.at(name), gradient, 0, 1e-12))
              << kind << " " << head << " " << name << (sequence ? ", rows cut" : "");
      }
    }
  }
}

}  // namespace
}  // namespace lmtrain
