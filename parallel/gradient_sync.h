// Sums gradients over the ranks that hold parts of them, while backward still runs (Li et al.,
// "PyTorch Distributed", VLDB 2020). The gradients of a unit are summed over the data axis. Those
// of parameters that saw only a part of the tokens on this rank are summed over the tensor axis
// before.
//
// An unsharded unit is reduced in buckets, which are slices of its flat gradient. Where optimizer
// state or gradients are sharded, the unit is reduced and scattered as a whole (ZeRO; Rajbhandari
// et al., 2020).
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

struct GradientSyncOptions {
  int64_t bucket_bytes = int64_t{25} << 20;
  // The type in which gradients travel: the master type, or bf16, which halves the bytes and rounds
  // each rank's part.
  at::ScalarType type = at::kFloat;
};

class GradientSync {
 public:
  // Listens to the units of `store`, in which the model has declared its parameters. All arguments
  // must outlive this object.
  GradientSync(ParameterStore& store, Communicator& data, Communicator& tensor,
               GradientSyncOptions options);
  ~GradientSync();
  GradientSync(const GradientSync&) = delete;
  GradientSync& operator=(const GradientSync&) = delete;

  // To be called after each backward. Where gradients are sharded, it waits for the reductions
  // under way, so that the next micro-batch finds the memory of the full gradients free.
  void finish_micro_batch();
  // To be called after the last backward of a step, which announced every unit: waits for all sums.
  // Each unit's reduced_gradient() then holds its shard of the sums, with the same bits in every
  // run.
  void finish();

 private:
  // A unit's full gradient. Where gradients are sharded, the unit itself drops it, and the next
  // micro-batch allocates another.
  struct Whole {
    ParameterUnit* unit = nullptr;
    at::Tensor gradient;
  };
  // A full gradient that waits for its sum over the tensor axis.
  struct Partial {
    Whole whole;
    at::Tensor packed;
    WorkPtr work;
  };
  // A sum over the data axis that is under way, and where its result goes.
  struct Reduction {
    ParameterUnit* unit;
    at::Tensor result;       // the group writes to it
    at::Tensor destination;  // in the master type; undefined: the unit accepts the result
    WorkPtr work;
  };

  void take(ParameterUnit& unit);
  void finish_partial();
  void reduce(const Whole& whole);
  void reduce_in_buckets(const Whole& whole);
  void reduce_to_shard(const Whole& whole);
  // Bounds the number of reductions under way where gradients are sharded or travel as copies of
  // another type.
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
