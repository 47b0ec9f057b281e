// Data parallelism: gradients are summed over the data axis in buckets, while backward still runs
// (Li et al., "PyTorch Distributed", VLDB 2020). A bucket is a slice of a unit's flat gradient.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

class GradientSync {
 public:
  // Listens to the units of `store`, in which the model has declared its parameters. All three must
  // outlive this.
  GradientSync(ParameterStore& store, Communicator& data, int64_t bucket_bytes);
  ~GradientSync();
  GradientSync(const GradientSync&) = delete;
  GradientSync& operator=(const GradientSync&) = delete;

  // After the last backward of a step, which announced every unit: waits for all buckets. Gradients
  // then hold the sum over the data axis, the same bits on every rank.
  void finish();

 private:
  void reduce(ParameterUnit& unit);

  ParameterStore& store_;
  Communicator& data_;
  int64_t bucket_bytes_;
  std::vector<const ParameterUnit*> started_;
  std::vector<WorkPtr> works_;
};

}  // namespace lmtrain
