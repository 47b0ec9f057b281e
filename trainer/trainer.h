// The training step and validation of one rank.
#pragma once

#include <cstdint>

#include "base/phase.h"
#include "data/loader.h"
#include "models/decoder.h"
#include "parallel/gradient_sync.h"
#include "parallel/mesh.h"
#include "trainer/config.h"

namespace lmtrain {

// What one rank tells the others at each step.
struct RankSignals {
  bool stop_requested = false;
  double watts = 0;   // of the sensors that this rank owns
  double joules = 0;  // since the start of this attempt
};

// What one step did; the same on every rank.
struct StepResult {
  double loss = 0;           // mean over the valid tokens of the global batch, nats
  double gradient_norm = 0;  // before clipping
  double lr = 0;
  int64_t num_tokens = 0;  // valid tokens of the global batch
  uint64_t data_hash = 0;  // of the global batch's samples, in order
  RankSignals signals;     // of all ranks: any wish to stop, sums of power and energy
};

struct EvaluationResult {
  double loss = 0;  // mean over the evaluated tokens, nats
  int64_t num_tokens = 0;
};

class Trainer {
 public:
  // config.model.vocab_size is resolved. All arguments outlive the trainer.
  Trainer(const Config& config, Mesh& mesh, at::Device device, int64_t num_vocabulary_tokens,
          PhaseTracker& phases);

  // One optimizer step; `step` counts from 0. Throws CollectiveError with ExitCode::kNumeric,
  // before anything is updated, when loss or gradients are not finite.
  StepResult train_step(const Loader& loader, int64_t step, const RankSignals& signals);

  // The first `num_samples` samples of `loader`, shared among the ranks.
  EvaluationResult evaluate(const Loader& loader, int64_t num_samples);

  ParameterStore& store() { return store_; }
  const Decoder& model() const { return model_; }

 private:
  // Sums of one global sample.
  struct SampleResult {
    double loss = 0;
    uint64_t hash = 0;
  };

  void forward_backward(const Batch& batch, int64_t step, double scale, bool is_last,
                        std::vector<SampleResult>& results);
  void combine(const std::vector<SampleResult>& mine, const RankSignals& signals,
               StepResult& result);
  int64_t sum_over_data(int64_t mine);

  const Config& config_;
  Mesh& mesh_;
  PhaseTracker& phases_;
  ParameterStore store_;
  Decoder model_;
  GradientSync gradient_sync_;
};

// "bf16" -> kBFloat16 and so on.
at::ScalarType compute_type_of(const std::string& precision);

}  // namespace lmtrain
