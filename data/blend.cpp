#include "data/blend.h"

#include <limits>
#include <numeric>

namespace lmtrain {

Blend::Blend(const std::vector<double>& weights) : weights_(weights), given_at_(1) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights_) weight /= sum;
  given_at_[0].resize(weights.size());
}

// Tijdeman's rule: among the sources that are far enough behind their share, picks the one that
// would be the first to fall too far behind.
size_t Blend::next(std::vector<int64_t>& given, int64_t sample) const {
  const auto count = static_cast<double>(weights_.size());
  const double slack = count == 1 ? 0.0 : 1.0 / (2.0 * count - 2.0);
  constexpr double kRounding = 1e-9;
  size_t best = 0;
  double soonest = std::numeric_limits<double>::infinity();
  for (size_t s = 0; s < weights_.size(); ++s) {
    const double due =
        weights_[s] * static_cast<double>(sample + 1) - static_cast<double>(given[s]);
    if (due < slack - kRounding) continue;
    const double time_left = (1.0 - slack - due) / weights_[s];
    if (time_left < soonest) {
      soonest = time_left;
      best = s;
    }
  }
  ++given[best];
  return best;
}

// Goes through the blocks in order, once. For each block only one count per source is kept.
void Blend::extend_to(int64_t block) const {
  while (static_cast<int64_t>(given_at_.size()) <= block) {
    std::vector<int64_t> given = given_at_.back();
    const int64_t begin = (static_cast<int64_t>(given_at_.size()) - 1) * kBlock;
    for (int64_t i = begin; i < begin + kBlock; ++i) next(given, i);
    given_at_.push_back(std::move(given));
  }
}

Blend::Pick Blend::at(int64_t sample) const {
  const std::lock_guard lock(mutex_);
  const int64_t block = sample / kBlock;
  if (block != block_) {
    extend_to(block);
    std::vector<int64_t> given = given_at_[static_cast<size_t>(block)];
    picks_.clear();
    for (int64_t i = block * kBlock; i < (block + 1) * kBlock; ++i) {
      const size_t source = next(given, i);
      picks_.push_back({source, given[source] - 1});
    }
    block_ = block;
  }
  return picks_[static_cast<size_t>(sample % kBlock)];
}

}  // namespace lmtrain
