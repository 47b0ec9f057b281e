// Chooses the source of each training sample so that every source has its share of any prefix of
// the samples: after n samples, the number from source s differs from weight[s] * n by less than
// one (the chairman assignment problem; Tijdeman, 1980).
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace lmtrain {

class Blend {
 public:
  // Needs at least one weight. All weights must be above 0; they are divided by their sum.
  explicit Blend(const std::vector<double>& weights);

  struct Pick {
    size_t source;
    int64_t index;  // how many earlier samples come from the same source
  };
  // Returns the pick of sample n >= 0, which depends on the weights and n alone. Thread-safe.
  Pick at(int64_t sample) const;

 private:
  static constexpr int64_t kBlock = 1 << 12;

  size_t next(std::vector<int64_t>& given, int64_t sample) const;
  void extend_to(int64_t block) const;

  std::vector<double> weights_;  // their sum is 1
  mutable std::mutex mutex_;
  // For each block, the number of samples that each source has given before it.
  mutable std::vector<std::vector<int64_t>> given_at_;
  mutable int64_t block_ = -1;  // the block whose picks are in `picks_`
  mutable std::vector<Pick> picks_;
};

}  // namespace lmtrain
