// Sums gradients over the ranks that hold parts of them, while backward still runs (Li et al.,
// "PyTorch Distributed", VLDB 2020): those of a unit over the data axis, and of parameters that
// only a part of the tokens passed on this rank also over the tensor axis before.
//
// Unsharded, a unit is reduced in buckets, slices of its flat gradient; where optimizer state or
// gradients are sharded, it is reduced and scattered as a whole (ZeRO; Rajbhandari et al., 2020).
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

struct GradientSyncOptions {
  int64_t bucket_bytes = int64_t{25} << 20;
  // What travels: the master type, or bf16, which halves the bytes and rounds each rank's part.
  at::ScalarType type = at::kFloat;
};

class GradientSync {
 public:
  // Listens to the units of `store`, in which the model has declared its parameters. All must
  // outlive this.
  GradientSync(ParameterStore& store, Communicator& data, Communicator& tensor,
               GradientSyncOptions options);
  ~GradientSync();
  GradientSync(const GradientSync&) = delete;
  GradientSync& operator=(const GradientSync&) = delete;

  // After each backward: where gradients are sharded, waits for what is under way, so that the next
  // micro-batch finds the memory of whole ones free.
  void finish_micro_batch();
  // After the last backward of a step, which announced every unit: waits for all sums. Each unit's
  // reduced_gradient() then holds its shard of them, the same bits in every run.
  void finish();

 private:
  // A unit's whole gradient, which the unit itself lets go of where gradients are sharded: the next
  // micro-batch begins another one.
  struct Whole {
    ParameterUnit* unit = nullptr;
    at::Tensor gradient;
  };
  // One that waits for the tensor axis.
  struct Partial {
    Whole whole;
    at::Tensor packed;
    WorkPtr work;
  };
  // A sum over the data axis under way, and where it goes.
  struct Reduction {
    ParameterUnit* unit;
    at::Tensor result;       // what the group writes to
    at::Tensor destination;  // in the master type; undefined: the unit accepts the result
    WorkPtr work;
  };

  void take(ParameterUnit& unit);
  void finish_partial();
  void reduce(const Whole& whole);
  void reduce_in_buckets(const Whole& whole);
  void reduce_to_shard(const Whole& whole);
  // Where gradients are sharded or travel as copies of another type, few may be on their way.
  void make_room();
  void finish_oldest();
  void finish_all();

  ParameterStore& store_;
  Communicator& data_;
  Communicator& tensor_;
  GradientSyncOptions options_;
  Partial partial_;
  std::vector<const ParameterUnit*> taken_;
  std::deque<Reduction> reductions_;
};

}  // namespace lmtrain
