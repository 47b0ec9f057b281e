// Where all parameters of a model live. The store is cut into units (embedding, each block, head);
// a unit is what is updated, reduced, gathered and freed at once (the flat parameters of PyTorch
// FSDP). Each unit has flat buffers, every parameter at a multiple of 64 elements:
//   master    fp32 (fp64 in fp64)  the weights that are optimised and saved
//   compute   bf16 in bf16, else the master's type; made once a step
//   gradient  like master; sums over micro-batches, then over ranks
//   state     like master; what the optimizer keeps, in buffers that it names, each for the
//             parameters that it is kept for
// Parameters with weight decay come first. Frozen parameters are units of their own, with nothing
// but the compute type's weights, which are their master too.
//
// Sharded over the data axis (ZeRO; Rajbhandari et al., 2020), a unit is cut into as many equal
// shards as ranks, and a rank keeps only its own:
//   stage 1  of master and state
//   stage 2  also of the gradient; the full gradient exists while backward of the unit runs
//   stage 3  also of the compute copy; the full copy is gathered where it is used
//
// Layers hold a Parameter and fetch its weight when they use it, in forward and in backward;
// backward adds its contribution to the gradient and reports the use. A unit whose uses of the last
// micro-batch have all reported is ready to be reduced while backward goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_spec.h"

namespace lmtrain {

// Every shard begins at a multiple of this many elements of its unit.
inline constexpr int64_t kShardAlignment = 4096;

// Names of a unit's buffers beside those of the optimizer's state. Checkpoints store weights and
// state under these names.
inline constexpr char kWeights[] = "weights";    // master
inline constexpr char kGradient[] = "gradient";  // reduced

// Names of the state buffers that an optimizer keeps for a parameter.
using StateNames = std::function<std::vector<std::string>(const ParameterSpec&)>;

// For inference a store has no gradients, its weights exist once, in the compute type, and they are
// zeros until loaded. Backward then computes the gradient of a model's input alone: what layers add
// to the gradients of weights goes nowhere.
enum class StoreUse { kTraining, kInference };

// Sets what is trained of a parameter (is_frozen, rate); `unit` of `num_units` counts in forward
// order.
using SpecChange = std::function<void(size_t unit, size_t num_units, ParameterSpec& spec)>;

// How the units of a store are cut over the data axis.
struct Sharding {
  Communicator* data = nullptr;  // null: the units are not cut; must outlive the store
  int64_t stage = 0;

  int num_shards() const { return data != nullptr && stage > 0 ? data->size() : 1; }
};

// A matrix in 8 bits: element [r, c] is values[r, c] * scales[r] (one scale for each output
// channel; Dettmers et al., "LLM.int8()", 2022).
struct Int8Matrix {
  at::Tensor values;  // int8 [rows, columns]
  at::Tensor scales;  // fp32 [rows]
};

class ParameterUnit;

// A handle to one parameter of the store.
class Parameter {
 public:
  const ParameterSpec& spec() const { return spec_; }
  const ParameterUnit& unit() const { return *unit_; }
  int64_t offset() const { return offset_; }  // in the unit's buffers
  int64_t numel() const { return numel_; }    // of this rank's part of the tensor axis
  int64_t aligned_numel() const;  // with the unused elements that follow it in the buffers
  // The state buffers that the unit keeps for it, in the optimizer's order.
  const std::vector<std::string>& state() const { return state_; }
  bool has_state(const std::string& name) const;

  // This rank's part of the tensor axis, in the compute type. Fetch it anew for each use and do not
  // keep it.
  const at::Tensor& weight() const;
  // The weight where the store keeps it in 8 bits and weight() is undefined; else null.
  const Int8Matrix* int8() const { return int8_ ? &*int8_ : nullptr; }
  // This rank's part of the gradient. It is there while backward adds to it, or where gradients are
  // not sharded.
  const at::Tensor& gradient() const { return gradient_; }
  // Returns a view of the unit's master buffer, where that is not sharded.
  at::Tensor master() const;
  bool is_trained() const { return !spec_.is_frozen; }
  // Returns the rows of such a tensor that are not padding.
  at::Tensor unpadded(const at::Tensor& tensor) const {
    return tensor.narrow(0, 0, spec_.num_real_rows());
  }
  // The elements of this parameter that a shard of the unit holds.
  struct Span {
    int64_t begin = 0;  // in the shard
    int64_t count = 0;
    int64_t first_element = 0;  // of this parameter
  };
  Span span_in_shard() const;  // of this rank
  Span span_in_shard_of(int data_rank) const;
  // Returns this parameter's elements of a full flat buffer of the unit, in their local shape.
  at::Tensor in(const at::Tensor& whole_buffer) const;

  // Adds to the gradient, in the master type. `contribution` has as many elements as the local
  // shape.
  void add_gradient(const at::Tensor& contribution);
  // Adds the product of two matrices of the compute type to the gradient, which is seen as a matrix
  // with the rows of `a`.
  void add_product(const at::Tensor& a, const at::Tensor& b);
  // Adds rows[i] to row ids[i], in the order of i and in the master type: the gradient of a table.
  void add_gradient_at(const at::Tensor& ids, const at::Tensor& rows);
  // Whether adding to the gradient has any effect.
  bool takes_gradient() const;
  // Reports that backward has done one use of this micro-batch.
  void report_use();

 private:
  friend class ParameterStore;
  friend class ParameterUnit;
  Span span_from(int64_t shard_begin) const;

  ParameterSpec spec_;
  ParameterUnit* unit_ = nullptr;
  int64_t offset_ = 0;
  int64_t numel_ = 0;
  std::vector<std::string> state_;
  bool gradient_is_set_ = false;
  at::Tensor compute_, gradient_;
  std::optional<Int8Matrix> int8_;
};

// A state buffer of a unit. It covers the elements from the first parameter that it is kept for to
// the end of the last one.
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

  // The weights and the state of this rank's shard.
  const at::Tensor& master() const { return master_; }
  const std::vector<StateBuffer>& state() const { return state_; }
  bool is_frozen() const { return is_frozen_; }
  // The unit of those parameters that models declared in this one and that are frozen, where others
  // are not; else null.
  const ParameterUnit* frozen_part() const { return frozen_part_; }
  // Returns a view of `count` elements of the buffer of this name, from element `begin` of the unit
  // on. All of them must lie in this rank's shard of the buffer.
  at::Tensor elements(const std::string& buffer, int64_t begin, int64_t count) const;
  // Returns this rank's shard of the buffer of this name, as long as that of the weights. Where a
  // state buffer does not cover the shard, the result is a copy filled up with zeros.
  at::Tensor whole_shard(const std::string& buffer) const;
  // The gradient that the optimizer reads: summed over all ranks once GradientSync has finished.
  const at::Tensor& reduced_gradient() const { return reduced_gradient_; }
  // The full gradient of this rank. From stage 2 on it is undefined once it is reduced.
  const at::Tensor& gradient() const { return gradient_; }

  // Stage 2 and above: drops the full gradient; the next micro-batch allocates another.
  void detach_gradient() { bind_gradient({}); }
  // Adds this rank's shard of the sum over all ranks of a micro-batch's gradient.
  void accept_reduced(const at::Tensor& shard);

 private:
  friend class ParameterStore;
  friend class Parameter;
  friend class UnitInForward;
  int64_t shard_begin_of(int data_rank) const;
  const StateBuffer* find_state(const std::string& name) const;
  void bind_gradient(const at::Tensor& whole);
  void bind_compute(const at::Tensor& whole);
  at::Tensor shard_of(const at::Tensor& whole) const {
    return whole.narrow(0, shard_begin_, shard_numel_);
  }

  std::string name_;
  size_t index_ = 0;
  bool read_in_backward_ = true;
  bool is_frozen_ = false;
  ParameterUnit* frozen_part_ = nullptr;
  std::vector<std::unique_ptr<Parameter>> parameters_;
  int64_t numel_ = 0;
  int64_t shard_begin_ = 0;
  int64_t shard_numel_ = 0;
  int uses_outstanding_ = 0;
  bool reduced_is_set_ = false;
  class ParameterStore* store_ = nullptr;
  at::Tensor master_, compute_, gradient_, reduced_gradient_;
  std::vector<StateBuffer> state_;
  at::Tensor compute_shard_;  // stage 3: the full copy is gathered from it
  at::Tensor gathering_;      // the full copy, while `gather_` is under way
  WorkPtr gather_;
};

class ParameterStore {
 public:
  // compute_type: kBFloat16, kFloat or kDouble; the master type follows from it.
  ParameterStore(at::ScalarType compute_type, at::Device device, Sharding sharding = {});
  ~ParameterStore();
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  // Models declare units in forward order and parameters within them; then the trainer allocates
  // once. `read_in_backward`: whether backward of the unit needs its weights.
  ParameterUnit& add_unit(const std::string& name, bool read_in_backward = true);
  Parameter& add(ParameterUnit& unit, ParameterSpec spec);
  // To be called before allocate(): lets `change` choose what is trained. A unit that is frozen in
  // part becomes two, one behind the other.
  void change_specs(const SpecChange& change);
  // Makes all buffers and, for training, draws the initial weights: pure functions of (seed, name,
  // element). Collective where sharded.
  void allocate(uint64_t seed, StoreUse use = StoreUse::kTraining);
  // To be called after allocate(), for training: makes the optimizer's state, all zeros.
  void allocate_state(const StateNames& names_for);

  // For inference, once the weights are loaded: keeps the hidden matrices (ParameterSpec::matrices)
  // in 8 bits alone, each value rounded to the nearest of 255 steps between the largest of its row
  // and its negative.
  void keep_in_int8();

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

  // Begins a step: all gradients count as zero again.
  void begin_step();
  // Begins forward of a micro-batch. In the last micro-batch of a step, or in each where gradients
  // are sharded, units are announced by on_unit_ready as they become ready.
  void begin_micro_batch(bool is_last);
  // Begins backward of the micro-batch; from here on, gathered weights are prefetched in reverse
  // order.
  void begin_backward() { is_backward_ = true; }
  std::function<void(ParameterUnit&)> on_unit_ready;
  // Makes the compute copies from the master weights, after an update of what is trained or after a
  // load of anything. Collective where sharded.
  void refresh_updated();
  void refresh_compute();

  // Returns a reused buffer of the compute type, for weight gradients before they are added in the
  // master type.
  at::Tensor scratch(at::IntArrayRef shape);

 private:
  friend class Parameter;
  friend class UnitInForward;
  void lay_out(ParameterUnit& unit);
  at::ScalarType master_type_of(const ParameterUnit& unit) const {
    return unit.is_frozen_ ? compute_type_ : master_type_;
  }
  void refresh(ParameterUnit& unit);
  void add_state(ParameterUnit& unit, const std::string& name);
  void draw(ParameterUnit& unit, uint64_t seed);
  void report_use(ParameterUnit& unit);
  // When this returns, the unit's full compute copy is there, and that of its neighbour is on the
  // way.
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
  StoreUse use_ = StoreUse::kTraining;
  bool announces_ = false;
  bool is_backward_ = false;
  size_t first_trained_ = 0;  // the unit at which backward ends
  size_t furthest_ = 0;       // the furthest unit that this forward has come to
  at::Tensor scratch_;
};

// Marks the enclosing block as the whole forward of a unit: gathered weights are freed at its end.
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
