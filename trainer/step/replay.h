// Computes a step twice and compares the bits, to find a machine that computes wrong without saying
// so (silent data corruption; Dixit et al., "Silent Data Corruptions at Scale", 2021).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Fingerprints of what one computation of a step gave on this rank, in the order in which it came.
class ComputedBits {
 public:
  // Takes the gradient of each unit that `store` announces from now until note_sums(), before it
  // is summed over ranks.
  explicit ComputedBits(ParameterStore& store);
  ~ComputedBits();
  ComputedBits(const ComputedBits&) = delete;
  ComputedBits& operator=(const ComputedBits&) = delete;

  // To be called once the gradients are summed over the ranks.
  void note_sums();
  void note_losses(uint64_t fingerprint);

  // What differs first of this rank's own work: "the losses", "the gradient of unit block 3"; ""
  // where nothing does.
  std::string first_own_difference(const ComputedBits& other) const;
  // The same of the sums over ranks, which are wrong on all ranks where one rank's part is.
  std::string first_sum_difference(const ComputedBits& other) const;

 private:
  struct Item {
    uint64_t fingerprint;
    std::string name;
  };

  static std::string first_difference(const std::vector<Item>& mine,
                                      const std::vector<Item>& others);

  ParameterStore& store_;
  std::function<void(ParameterUnit&)> take_;  // of GradientSync
  std::vector<Item> gradients_, sums_;
  uint64_t losses_ = 0;
};

// Collective. Throws CollectiveError with ExitCode::kNumeric, which names each rank whose two
// computations of the step differ.
void require_equal_bits(const ComputedBits& first, const ComputedBits& second, int64_t step,
                        Communicator& host_world);

// Collective. Calls `compute` twice, which returns a list of values without padding, and returns
// the second result.
template <class Compute>
auto computed_twice(const Compute& compute, int64_t step, ParameterStore& store,
                    Communicator& host_world) {
  const auto run = [&](ComputedBits& bits) {
    auto values = compute();
    bits.note_sums();
    bits.note_losses(hash_bytes(values.data(), values.size() * sizeof(values[0])));
    return values;
  };
  ComputedBits first(store);
  run(first);
  ComputedBits second(store);
  auto values = run(second);
  require_equal_bits(first, second, step, host_world);
  return values;
}

}  // namespace lmtrain
