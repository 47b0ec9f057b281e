// Steps whose update is left out.
#include "trainer/step/trainer.h"

#include <limits>

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
