// What an optimizer says of itself. The store allocates the state that it asks for, checkpoints
// save it by name, the memory estimate counts it, and `lmtrain verify` takes its tolerance from the
// largest update.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "parallel/mesh.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// What an update of a parameter reads: each element by itself, whatever part of the tensor a rank
// has, or whole matrices.
enum class Granularity { kElement, kMatrix };

// The learning rate of a step for a peak rate of the schedule.
using Rate = std::function<double(double peak)>;

// One update, the same on all ranks.
struct UpdateStep {
  int64_t number = 1;           // counts from 1
  double gradient_scale = 1.0;  // every gradient is multiplied by it (clipping)
  Rate rate;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Names of the buffers that it keeps for a parameter, each as large as the master weights. Names
  // are stable: checkpoints store the tensors under them.
  virtual std::vector<std::string> state_of(const ParameterSpec& spec) const = 0;
  virtual Granularity granularity_of(const ParameterSpec& spec) const = 0;
  // The most that one update moves an element of a parameter, its decay aside. Infinity where there
  // is no bound, and where the rounding of a gradient of nearly zero decides an update, as it does
  // with a sign: runs in different layouts are then compared by losses and gradients alone.
  virtual double largest_update(const ParameterSpec& spec, const Rate& rate) const = 0;
  // FLOPs that the owner of a tensor spends on its matrices in one update. An optimizer of whole
  // matrices overrides it: owners share this work, and `lmtrain layouts` counts its time.
  virtual double matrix_flops(const ParameterSpec&) const { return 0; }
  // Collective over the mesh, from the reduced gradients: updates master weights and state in
  // place. ParameterStore::refresh_compute() is to follow.
  virtual void update(ParameterStore& store, Mesh& mesh, const UpdateStep& step) const = 0;
};

// state_of() as the store asks for it; `optimizer` outlives it.
StateNames state_names(const Optimizer& optimizer);

}  // namespace lmtrain
