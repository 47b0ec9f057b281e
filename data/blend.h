// Which source each training sample comes from, so that every source has its share of any prefix of
// the samples: after n of them, source s has given a number that differs from weight[s] n by less
// than one (the chairman assignment problem; Tijdeman, 1980).
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace lmtrain {

class Blend {
 public:
  // At least one weight; all are above 0, of any sum.
  explicit Blend(const std::vector<double>& weights);

  struct Pick {
    size_t source;
    int64_t index;  // how many samples the source has given before
  };
  // Of sample n >= 0: a function of the weights and n alone. Safe from several threads.
  Pick at(int64_t sample) const;

 private:
  static constexpr int64_t kBlock = 1 << 12;

  size_t next(std::vector<int64_t>& given, int64_t sample) const;
  void extend_to(int64_t block) const;

  std::vector<double> weights_;  // of sum 1
  mutable std::mutex mutex_;
  mutable std::vector<std::vector<int64_t>> given_at_;  // counts where each block begins
  mutable int64_t block_ = -1;                          // the one that `picks_` holds
  mutable std::vector<Pick> picks_;
};

}  // namespace lmtrain
