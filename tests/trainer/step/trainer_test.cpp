// Steps whose update is left out.
#include "trainer/step/trainer.h"

#include <limits>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/layouts/synthetic_loader.h"

namespace lmtrain {
namespace {

constexpr int64_t kVocabulary = 61;

// One rank with a small model.
class Alone {
 public:
  explicit Alone(const Config& config)
      : config_(config),
        group_(make_single_communicator()),
        mesh_(*group_, *group_, 1),
        trainer_(config_, mesh_, at::kCPU, kVocabulary, phases_) {}

  StepResult step(int64_t number) { return trainer_.train_step(loader_, number, {}); }
  Trainer& trainer() { return trainer_; }
  at::Tensor weights() {
    std::vector<at::Tensor> units;
    for (const auto& unit : trainer_.store().units()) units.push_back(unit->master());
    return at::cat(units);
  }

 private:
  Config config_;
  PhaseTracker phases_;
  std::unique_ptr<Communicator> group_;
  Mesh mesh_;
  SyntheticLoader loader_{config_.model, 16};
  Trainer trainer_;
};

Config small() {
  Config config;
  config.model.num_layers = 2;
  config.model.num_heads = 2;
  config.model.hidden_size = 32;
  config.model.max_positions = 16;
  config.model.vocab_size = kVocabulary;
  config.data.sequence_length = 16;
  config.train.global_batch_size = 4;
  config.train.micro_batch_size = 2;
  config.train.precision = Precision::kFp32;
  return config;
}

// Defect: a step that is not finite changes weights or state, or leaves something in the gradients
// that spoils the next step.
TEST(Trainer, LeavesNothingOfAStepThatIsNotFinite) {
  Alone healthy(small());
  Alone poisoned(small());
  ParameterStore& store = poisoned.trainer().store();
  const at::Tensor weight = store.units().front()->master();
  const float good = weight[3].item<float>();
  weight[3] = std::numeric_limits<float>::quiet_NaN();
  store.refresh_compute();
  poisoned.step(0);
  EXPECT_EQ(poisoned.trainer().judgement().verdict, Verdict::kSkip);
  weight[3] = good;
  store.refresh_compute();
  EXPECT_TRUE(at::equal(healthy.weights(), poisoned.weights()));
  for (int64_t step = 0; step < 3; ++step) {
    EXPECT_EQ(healthy.step(step).loss, poisoned.step(step).loss);
  }
  EXPECT_TRUE(at::equal(healthy.weights(), poisoned.weights()));
}

// Defect: a step that is computed twice is another step.
TEST(Trainer, AReplayedStepIsTheSame) {
  Alone once(small());
  Config config = small();
  config.train.replay_every = 1;
  Alone twice(config);
  for (int64_t step = 0; step < 3; ++step) EXPECT_EQ(once.step(step).loss, twice.step(step).loss);
  EXPECT_TRUE(at::equal(once.weights(), twice.weights()));
}

std::map<std::string, at::Tensor> weights_by_name(Trainer& trainer) {
  std::map<std::string, at::Tensor> weights;
  for (const Parameter* parameter : trainer.store().parameters())
    weights[parameter->spec().name] = parameter->weight().clone();
  return weights;
}

// Defect: frozen weights change, or those above and beside them get other gradients.
TEST(Trainer, FreezesWhatTheConfigNames) {
  Config config = small();
  config.train.clip_grad_norm = 0;
  Alone whole(config);
  config.train.freeze = {"embedding.*", "blocks.0.*", "blocks.1.feed_forward.*"};
  Alone part(config);
  const auto before = weights_by_name(part.trainer());
  EXPECT_EQ(whole.step(0).loss, part.step(0).loss);
  const auto by_whole = weights_by_name(whole.trainer());
  const auto after = weights_by_name(part.trainer());
  int num_frozen = 0;
  for (const Parameter* parameter : part.trainer().store().parameters()) {
    const std::string& name = parameter->spec().name;
    num_frozen += parameter->is_trained() ? 0 : 1;
    EXPECT_TRUE(at::equal(after.at(name), (parameter->is_trained() ? by_whole : before).at(name)))
        << name;
    EXPECT_EQ(parameter->gradient().defined(), parameter->is_trained()) << name;
    EXPECT_EQ(parameter->state().empty(), !parameter->is_trained()) << name;
  }
  EXPECT_EQ(num_frozen, 2 + 12 + 6);
}

// Defect: a frozen weight keeps a master beside the copy in the compute type.
TEST(Trainer, KeepsFrozenWeightsInTheComputeTypeAlone) {
  Config config = small();
  config.train.precision = Precision::kBf16;
  config.train.freeze = {"blocks.*"};
  Alone part(config);
  part.step(0);
  for (const auto& unit : part.trainer().store().units()) {
    const bool is_block = unit->name().starts_with("blocks.");
    EXPECT_EQ(unit->is_frozen(), is_block);
    EXPECT_EQ(unit->master().scalar_type(), is_block ? at::kBFloat16 : at::kFloat);
    EXPECT_EQ(unit->gradient().defined(), !is_block);
  }
}

// Defect: a rate that is not of its layer. The first update of AdamW moves each weight by its rate.
TEST(Trainer, LowerLayersHaveLowerRates) {
  Config config = small();
  config.optimizer.weight_decay = 0;
  config.optimizer.layer_decay = 0.5;
  config.schedule.warmup_steps = 0;
  Alone run(config);
  const auto before = weights_by_name(run.trainer());
  const double lr = run.step(0).lr;
  const auto after = weights_by_name(run.trainer());
  const auto moved = [&](const char* name) {
    return (after.at(name) - before.at(name)).abs().max().item<double>() / lr;
  };
  EXPECT_NEAR(moved("head.norm.weight"), 1.0, 0.01);
  EXPECT_NEAR(moved("blocks.1.attention.norm.weight"), 0.5, 0.01);
  EXPECT_NEAR(moved("blocks.0.attention.norm.weight"), 0.25, 0.01);
  EXPECT_NEAR(moved("embedding.position.weight"), 0.125, 0.01);
}

// Defect: a run that has passed over batches reads the ones that it passed over.
TEST(Trainer, PassesOverBatches) {
  Alone whole(small());
  Alone passing(small());
  GuardState guard;
  guard.passed_batches = 2;
  passing.trainer().set_guard(guard);
  whole.step(0);
  whole.step(1);
  EXPECT_EQ(whole.step(2).data_hash, passing.step(0).data_hash);
}

}  // namespace
}  // namespace lmtrain
