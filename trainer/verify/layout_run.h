// A few steps of training in a layout, and how far two such runs are apart: what `lmtrain verify`
// shows and the tests of layouts stand on.
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
  // Logical tensors on the CPU, on rank 0 of the mesh alone: the weights after the last step, and
  // the gradients of the last steps as the optimizer took them.
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
  // Fills the master weights in place of the initial ones; where given.
  std::function<void(ParameterStore&)> load_weights;
  int64_t num_steps = 1;
  int64_t num_gradient_steps = 1;  // the last ones, whose gradients are kept
};

// Trains from the initial weights in the layout of config.parallel. Collective over the mesh.
LayoutRun run_layout(const Config& config, const LayoutRunInput& input, Mesh& mesh);

// The same samples in each global batch, in an order of its own: other micro-batches that add up to
// the same step, so that two such runs differ by rounding alone.
class PermutedLoader : public Loader {
 public:
  // `inner` outlives this.
  PermutedLoader(const Loader& inner, int64_t global_batch_size, uint64_t seed);
  Batch empty_batch(int64_t num_samples) const override { return inner_.empty_batch(num_samples); }
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  const Loader& inner_;
  int64_t global_batch_size_;
  uint64_t seed_;
};

// Largest absolute differences.
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
};
// Not a number where one of the runs has none.
LayoutDifference difference(const LayoutRun& a, const LayoutRun& b);

// What one rank does, and how far apart runs of it are that differ by rounding alone: the largest
// differences between any two. In fp64 there is no need of those.
struct Reference {
  LayoutRun run;
  // Steps take their samples in other orders, which regroups sums over samples as data ranks do.
  LayoutDifference spread;
  // With one more run, whose initial weights are a rounding off besides: the tensor axis also
  // splits the sums within a sample.
  LayoutDifference spread_on_tensor_axis;

  const LayoutDifference& spread_of(const ParallelConfig& layout) const {
    return layout.tensor > 1 ? spread_on_tensor_axis : spread;
  }
};
// Runs with permuted samples, and the largest micro-batch that one of them takes.
inline constexpr int kPermutations = 3;
int64_t largest_permuted_micro_batch(const TrainConfig& train);
// `config` is for one rank. Collective: rank 0 makes the run and has the result, the other runs are
// made beside it by the ranks that follow. Throws CollectiveError when any of the runs fails.
Reference make_reference(const Config& config, const LayoutRunInput& input, Communicator& group);

}  // namespace lmtrain
