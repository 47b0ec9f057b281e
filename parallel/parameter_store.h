// Where all parameters of a model live. The store is cut into units (embedding, each block, head);
// a unit is what is updated, reduced and, sharded, gathered and freed at once (the flat parameters
// of PyTorch FSDP). Each unit has flat buffers, every parameter at a multiple of 64 elements:
//   master    fp32 (fp64 in fp64)  the weights that are optimised and saved
//   compute   bf16 in bf16, else the master itself; made once a step
//   gradient  like master; sums over micro-batches, then over ranks
//   exp_avg, exp_avg_sq  like master; the optimizer's moments
// Parameters with weight decay come first, so that each half of a unit is one optimizer call.
//
// Layers hold a Parameter and fetch its weight when they use it, in forward and in backward;
// backward adds its contribution to the gradient and reports the use. A unit whose uses of the last
// micro-batch have all reported is ready to be reduced while backward goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/mesh_axis.h"

namespace lmtrain {

enum class Init { kNormal, kZeros, kOnes };

// For inference a store has no gradients and moments, and its weights are zeros until loaded.
enum class StoreUse { kTraining, kInference };

// What a parameter is, whatever the layout.
struct ParameterSpec {
  std::string name;                    // stable: checkpoints store the tensor under it
  std::vector<int64_t> logical_shape;  // without padding and sharding
  std::vector<int64_t>
      padded_shape;    // dim 0 may have more rows than the logical shape; they stay zero
  int shard_dim = -1;  // the dim cut over shard_axis; -1: every rank has the whole
  MeshAxis shard_axis = MeshAxis::kTensor;
  int shard_index = 0;  // which part this rank has
  int num_shards = 1;
  std::vector<MeshAxis> gradient_axes = {
      MeshAxis::kData};  // ranks along these hold parts of the gradient's sum
  bool weight_decay = true;
  int uses_per_micro_batch = 1;  // backward reports so many times
  Init init = Init::kNormal;
  double init_std = 0.02;

  // The shape of this rank's part.
  std::vector<int64_t> local_shape() const;
};

class ParameterUnit;

// A handle to one parameter of the store.
class Parameter {
 public:
  const ParameterSpec& spec() const { return spec_; }
  const ParameterUnit& unit() const { return *unit_; }

  // This rank's part in the compute type. Fetch it anew for each use, do not keep it.
  const at::Tensor& weight() const { return compute_; }
  // This rank's part of the unit's buffers, in the master type.
  const at::Tensor& master() const { return master_; }
  const at::Tensor& gradient() const { return gradient_; }
  const at::Tensor& exp_avg() const { return exp_avg_; }
  const at::Tensor& exp_avg_sq() const { return exp_avg_sq_; }
  // The rows of such a tensor that are not padding.
  at::Tensor unpadded(const at::Tensor& tensor) const {
    return tensor.narrow(0, 0, spec_.logical_shape[0]);
  }

  // Adds to the gradient, in the master type. `contribution` has as many elements as the local
  // shape.
  void add_gradient(const at::Tensor& contribution);
  // Adds the product of two matrices of the compute type to the gradient as a matrix of a's rows.
  void add_product(const at::Tensor& a, const at::Tensor& b);
  // Adds rows[i] to row ids[i], in the order of i and in the master type: the gradient of a table.
  void add_gradient_at(const at::Tensor& ids, const at::Tensor& rows);
  // Marks one use of this micro-batch as done in backward.
  void report_use();

 private:
  friend class ParameterStore;
  friend class ParameterUnit;
  ParameterSpec spec_;
  ParameterUnit* unit_ = nullptr;
  int64_t offset_ = 0;  // in the unit's buffers
  bool gradient_is_set_ = false;
  at::Tensor master_, compute_, gradient_, exp_avg_, exp_avg_sq_;
};

class ParameterUnit {
 public:
  const std::string& name() const { return name_; }
  const std::vector<std::unique_ptr<Parameter>>& parameters() const { return parameters_; }
  int64_t numel() const { return numel_; }              // of each buffer, alignment included
  int64_t num_decayed() const { return num_decayed_; }  // leading elements with weight decay

  const at::Tensor& master() const { return master_; }
  const at::Tensor& compute() const { return compute_; }
  const at::Tensor& gradient() const { return gradient_; }
  const at::Tensor& exp_avg() const { return exp_avg_; }
  const at::Tensor& exp_avg_sq() const { return exp_avg_sq_; }

 private:
  friend class ParameterStore;
  friend class Parameter;
  std::string name_;
  std::vector<std::unique_ptr<Parameter>> parameters_;
  int64_t numel_ = 0;
  int64_t num_decayed_ = 0;
  int uses_outstanding_ = 0;
  class ParameterStore* store_ = nullptr;
  at::Tensor master_, compute_, gradient_, exp_avg_, exp_avg_sq_;
};

class ParameterStore {
 public:
  // compute_type: kBFloat16, kFloat or kDouble; the master type follows from it.
  ParameterStore(at::ScalarType compute_type, at::Device device);

  // Models declare units in forward order and parameters within them, then the trainer allocates
  // once.
  ParameterUnit& add_unit(const std::string& name);
  Parameter& add(ParameterUnit& unit, ParameterSpec spec);
  // Makes all buffers and, for training, draws the initial weights: pure functions of (seed, name,
  // element).
  void allocate(uint64_t seed, StoreUse use = StoreUse::kTraining);

  const std::vector<std::unique_ptr<ParameterUnit>>& units() const { return units_; }
  // All parameters, in the order of their declaration.
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  int64_t num_logical_elements() const;
  at::ScalarType compute_type() const { return compute_type_; }
  at::ScalarType master_type() const { return master_type_; }
  at::Device device() const { return device_; }

  // Gradients count as zero again.
  void begin_step();
  // In the last micro-batch of a step, units are announced as they become ready.
  void begin_micro_batch(bool is_last);
  std::function<void(ParameterUnit&)> on_unit_ready;
  // master -> compute, after an update or a load.
  void refresh_compute();

  // A reused buffer of the compute type for weight gradients before they are added in the master
  // type.
  at::Tensor scratch(at::IntArrayRef shape);

 private:
  friend class Parameter;
  void report_use(ParameterUnit& unit);

  at::ScalarType compute_type_;
  at::ScalarType master_type_;
  at::Device device_;
  std::vector<std::unique_ptr<ParameterUnit>> units_;
  std::vector<Parameter*> parameters_;
  bool announces_ = false;
  at::Tensor scratch_;
};

}  // namespace lmtrain
