// Where all parameters of a model live. The store is cut into units (embedding, each block, head);
// a unit is what is updated, reduced, gathered and freed at once (the flat parameters of PyTorch
// FSDP). Each unit has flat buffers, every parameter at a multiple of 64 elements:
//   master    fp32 (fp64 in fp64)  the weights that are optimised and saved
//   compute   bf16 in bf16, else the master's type; made once a step
//   gradient  like master; sums over micro-batches, then over ranks
//   state     like master; what the optimizer keeps, in buffers that it names, each for the
//             parameters that it is kept for
// Parameters with weight decay come first.
//
// Sharded over the data axis (ZeRO; Rajbhandari et al., 2020), a unit is cut into as many equal
// shards as ranks, and a rank keeps its own alone:
//   stage 1  of master and state
//   stage 2  also of the gradient, whose whole is there while backward of the unit runs
//   stage 3  also of the compute copy, whose whole is gathered where it is used
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

#include "parallel/communicator.h"
#include "parallel/parameter_spec.h"

namespace lmtrain {

// Shards begin at multiples of so many elements of their unit.
inline constexpr int64_t kShardAlignment = 4096;

// Names of a unit's buffers beside those of the optimizer's state. Checkpoints store weights and
// state under these names.
inline constexpr char kWeights[] = "weights";    // master
inline constexpr char kGradient[] = "gradient";  // reduced

// Names of the state buffers that an optimizer keeps for a parameter.
using StateNames = std::function<std::vector<std::string>(const ParameterSpec&)>;

// For inference a store has no gradients, and its weights are zeros until loaded.
enum class StoreUse { kTraining, kInference };

// How a store's units are cut over the data axis.
struct Sharding {
  Communicator* data = nullptr;  // null: not at all; outlives the store
  int64_t stage = 0;

  int num_shards() const { return data != nullptr && stage > 0 ? data->size() : 1; }
};

class ParameterUnit;

// A handle to one parameter of the store.
class Parameter {
 public:
  const ParameterSpec& spec() const { return spec_; }
  const ParameterUnit& unit() const { return *unit_; }
  int64_t offset() const { return offset_; }  // in the unit's buffers
  int64_t numel() const { return numel_; }    // of this rank's part of the tensor axis
  int64_t aligned_numel() const;              // with what is left free behind it in the buffers
  // State buffers that the unit keeps for it, in the optimizer's order.
  const std::vector<std::string>& state() const { return state_; }
  bool has_state(const std::string& name) const;

  // This rank's part of the tensor axis in the compute type. Fetch it anew for each use, do not
  // keep it.
  const at::Tensor& weight() const;
  // The same of the gradient, while backward adds to it or where it is not sharded.
  const at::Tensor& gradient() const { return gradient_; }
  // A view of the unit's buffer, where that is not sharded.
  at::Tensor master() const;
  // The rows of such a tensor that are not padding.
  at::Tensor unpadded(const at::Tensor& tensor) const {
    return tensor.narrow(0, 0, spec_.num_real_rows());
  }
  // What this rank's shard of the unit holds of it.
  struct Span {
    int64_t begin = 0;  // in the shard
    int64_t count = 0;
    int64_t first_element = 0;  // of this parameter
  };
  Span span_in_shard() const;
  // This parameter's elements of a whole flat buffer of the unit, in their local shape.
  at::Tensor in(const at::Tensor& whole_buffer) const;

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
  int64_t offset_ = 0;
  int64_t numel_ = 0;
  std::vector<std::string> state_;
  bool gradient_is_set_ = false;
  at::Tensor compute_, gradient_;
};

// A state buffer of a unit, of the elements from the first parameter that it is kept for to the
// last one's end.
struct StateBuffer {
  std::string name;
  int64_t begin = 0;  // of this rank's shard, in the unit
  at::Tensor shard;   // the part of those elements that lies in the rank's shard of the unit
};

class ParameterUnit {
 public:
  const std::string& name() const { return name_; }
  const std::vector<std::unique_ptr<Parameter>>& parameters() const { return parameters_; }
  int64_t numel() const { return numel_; }  // of the whole unit, alignment included
  int64_t shard_begin() const { return shard_begin_; }
  int64_t shard_numel() const { return shard_numel_; }  // of this rank's shard

  // Of this rank's shard.
  const at::Tensor& master() const { return master_; }
  const std::vector<StateBuffer>& state() const { return state_; }
  // A view of `count` elements of the buffer of this name, from element `begin` of the unit on;
  // all of them lie in this rank's shard of the buffer.
  at::Tensor elements(const std::string& buffer, int64_t begin, int64_t count) const;
  // This rank's shard of the buffer of this name, as long as that of the weights: where a state
  // buffer does not cover it, a copy with zeros.
  at::Tensor whole_shard(const std::string& buffer) const;
  // The gradient that the optimizer reads: summed over all ranks once GradientSync has finished.
  const at::Tensor& reduced_gradient() const { return reduced_gradient_; }
  // The whole gradient of this rank; from stage 2 on undefined once it is reduced.
  const at::Tensor& gradient() const { return gradient_; }

  // Of stage 2 on. Lets go of the whole gradient, which another one will follow.
  void detach_gradient() { bind_gradient({}); }
  // Adds this rank's shard of a micro-batch's sum over all ranks.
  void accept_reduced(const at::Tensor& shard);

 private:
  friend class ParameterStore;
  friend class Parameter;
  friend class UnitInForward;
  const StateBuffer* find_state(const std::string& name) const;
  void bind_gradient(const at::Tensor& whole);
  void bind_compute(const at::Tensor& whole);
  at::Tensor shard_of(const at::Tensor& whole) const {
    return whole.narrow(0, shard_begin_, shard_numel_);
  }

  std::string name_;
  size_t index_ = 0;
  bool read_in_backward_ = true;
  std::vector<std::unique_ptr<Parameter>> parameters_;
  int64_t numel_ = 0;
  int64_t shard_begin_ = 0;
  int64_t shard_numel_ = 0;
  int uses_outstanding_ = 0;
  bool reduced_is_set_ = false;
  class ParameterStore* store_ = nullptr;
  at::Tensor master_, compute_, gradient_, reduced_gradient_;
  std::vector<StateBuffer> state_;
  at::Tensor compute_shard_;  // stage 3: what the whole is gathered from
  at::Tensor gathering_;      // the whole on its way, while `gather_` is
  WorkPtr gather_;
};

class ParameterStore {
 public:
  // compute_type: kBFloat16, kFloat or kDouble; the master type follows from it.
  ParameterStore(at::ScalarType compute_type, at::Device device, Sharding sharding = {});
  ~ParameterStore();
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  // Models declare units in forward order and parameters within them, then the trainer allocates
  // once.
  // `read_in_backward`: whether backward of the unit needs its weights.
  ParameterUnit& add_unit(const std::string& name, bool read_in_backward = true);
  Parameter& add(ParameterUnit& unit, ParameterSpec spec);
  // Makes all buffers and, for training, draws the initial weights: pure functions of (seed, name,
  // element). Collective where sharded.
  void allocate(uint64_t seed, StoreUse use = StoreUse::kTraining);
  // After that, for training: makes the optimizer's state, all zeros.
  void allocate_state(const StateNames& names_for);

  const std::vector<std::unique_ptr<ParameterUnit>>& units() const { return units_; }
  // All parameters, in the order of their declaration.
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  int64_t num_logical_elements() const;
  at::ScalarType compute_type() const { return compute_type_; }
  at::ScalarType master_type() const { return master_type_; }
  at::Device device() const { return device_; }
  const Sharding& sharding() const { return sharding_; }
  bool shards_gradients() const { return sharding_.num_shards() > 1 && sharding_.stage >= 2; }
  bool shards_weights() const { return sharding_.num_shards() > 1 && sharding_.stage >= 3; }

  // Gradients count as zero again.
  void begin_step();
  // Forward of a micro-batch. In the last one of a step, or in each where gradients are sharded,
  // units are announced as they become ready.
  void begin_micro_batch(bool is_last);
  // Its backward; gathered weights are prefetched in the other direction from here on.
  void begin_backward() { is_backward_ = true; }
  std::function<void(ParameterUnit&)> on_unit_ready;
  // master -> compute, after an update or a load. Collective where sharded.
  void refresh_compute();

  // A reused buffer of the compute type for weight gradients before they are added in the master
  // type.
  at::Tensor scratch(at::IntArrayRef shape);

 private:
  friend class Parameter;
  friend class UnitInForward;
  void lay_out(ParameterUnit& unit);
  void add_state(ParameterUnit& unit, const std::string& name);
  void draw(ParameterUnit& unit, uint64_t seed);
  void report_use(ParameterUnit& unit);
  // The unit's whole compute copy is there when this returns, and its neighbour's on the way.
  void need_compute(ParameterUnit& unit);
  void start_gather(ParameterUnit& unit);
  static void finish_gather(ParameterUnit& unit);
  void prefetch_behind(const ParameterUnit& unit);
  void free_compute(ParameterUnit& unit);
  void need_gradient(ParameterUnit& unit);

  at::ScalarType compute_type_;
  at::ScalarType master_type_;
  at::Device device_;
  Sharding sharding_;
  std::vector<std::unique_ptr<ParameterUnit>> units_;
  std::vector<Parameter*> parameters_;
  bool announces_ = false;
  bool is_backward_ = false;
  size_t furthest_ = 0;  // unit that this forward has come to
  at::Tensor scratch_;
};

// The enclosing block is all that forward needs of a unit: gathered weights are freed at its end.
// In backward they stay until all uses have reported.
class UnitInForward {
 public:
  explicit UnitInForward(const ParameterUnit& unit) : unit_(unit) {}
  ~UnitInForward();
  UnitInForward(const UnitInForward&) = delete;
  UnitInForward& operator=(const UnitInForward&) = delete;

 private:
  const ParameterUnit& unit_;
};

}  // namespace lmtrain
