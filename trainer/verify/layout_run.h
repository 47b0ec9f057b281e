// Trains a few steps in a layout, and measures how far two such runs are apart. `lmtrain verify`
// and the tests of layouts use it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "data/loader.h"
#include "parallel/mesh.h"
#include "trainer/config/config.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

using NamedTensors = std::map<std::string, at::Tensor>;

struct LayoutRun {
  std::vector<StepResult> steps;
  EvaluationResult evaluation;  // after the last step
  // Logical tensors on the CPU; only rank 0 of the mesh has them. Weights are those after the last
  // step; gradients are those of the last steps, as the optimizer used them.
  NamedTensors weights;
  std::vector<NamedTensors> gradients;
  // What all steps together can move an element of each weight, its decay aside; on every rank.
  std::map<std::string, double> largest_updates;
};

struct LayoutRunInput {
  const Loader* train = nullptr;
  const Loader* validation = nullptr;  // null: no evaluation
  int64_t num_validation_samples = 0;
  int64_t num_tokens = 0;  // of the vocabulary
  at::Device device = at::kCPU;
  // If set, fills the master weights, which are the initial ones otherwise.
  std::function<void(ParameterStore&)> load_weights;
  int64_t num_steps = 1;
  int64_t num_gradient_steps = 1;  // the last ones, whose gradients are kept
};

// Trains from the initial weights in the layout of config.parallel. Collective over the mesh.
LayoutRun run_layout(const Config& config, const LayoutRunInput& input, Mesh& mesh);

// Loads the same samples in each global batch in another order. The micro-batches differ, but the
// step is mathematically the same, so that two such runs differ by rounding only.
class PermutedLoader : public Loader {
 public:
  // `inner` outlives this.
  PermutedLoader(const Loader& inner, int64_t global_batch_size, uint64_t seed);
  Batch empty_batch(std::span<const int64_t> indices) const override {
    return inner_.empty_batch(indices);
  }
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  const Loader& inner_;
  int64_t global_batch_size_;
  uint64_t seed_;
};

// The largest absolute differences between two runs.
struct LayoutDifference {
  struct OfTensor {
    std::string name;
    double gradient = 0;
    double weight = 0;
    // The largest values among what was compared.
    double gradient_size = 0;
    double weight_size = 0;
    double largest_update = 0;  // what all steps together can move an element, its decay aside
  };
  double loss = 0;  // of any step, and of the evaluation
  double gradient = 0;
  double weight = 0;
  double gradient_norm = 0;  // of any step, as a share of the norm
  double loss_size = 0;
  bool is_same_data = true;  // the hashes of all steps
  std::vector<OfTensor> tensors;

  bool is_zero() const { return loss == 0 && gradient == 0 && weight == 0; }
  // `weight`, but of the tensors whose updates have a bound; and how many have none.
  double bounded_weight() const;
  int64_t num_unbounded() const;
};
// A difference is NaN where a value of either run is NaN or missing.
LayoutDifference difference(const LayoutRun& a, const LayoutRun& b);

// The run of one rank, and its spread: the largest differences between any two runs of one rank
// that differ by rounding only. In fp64 the spread is not needed and stays 0.
struct Reference {
  LayoutRun run;
  // Between runs that take their samples in other orders, which groups the sums over samples
  // differently, as data-parallel ranks do.
  LayoutDifference spread;
  // The same with one more run, whose initial weights differ by a rounding: the tensor axis also
  // splits the sums within a sample.
  LayoutDifference spread_on_tensor_axis;

  const LayoutDifference& spread_of(const ParallelConfig& layout) const {
    return layout.tensor > 1 ? spread_on_tensor_axis : spread;
  }
};
// How many runs have permuted samples, and the largest micro-batch that one of them uses.
inline constexpr int kPermutations = 3;
int64_t largest_permuted_micro_batch(const TrainConfig& train);
// Collective. `config` is for one rank. Rank 0 makes the first run and gets the result; the ranks
// after it make the other runs at the same time. Throws CollectiveError when any run fails.
Reference make_reference(const Config& config, const LayoutRunInput& input, Communicator& group);

}  // namespace lmtrain
