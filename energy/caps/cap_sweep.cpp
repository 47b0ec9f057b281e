#include "energy/caps/cap_sweep.h"

namespace lmtrain {
namespace {

constexpr double kShares[] = {0.9, 0.8, 0.7, 0.6, 0.5};
// A cap that saves less than this is not worth its slowdown, and may be noise.
constexpr double kWorthSaving = 0.01;

}  // namespace

CapSweep::CapSweep(double max_slowdown, double least_share)
    : max_slowdown_(max_slowdown), shares_{1.0} {
  for (const double share : kShares) {
    if (share > least_share) shares_.push_back(share);
  }
  if (least_share < 1.0 && least_share >= shares_.back() - 0.1 && least_share >= kShares[4])
    shares_.push_back(least_share);
  if (shares_.size() > 1) shares_.push_back(1.0);
}

std::optional<double> CapSweep::next() const {
  const bool has_tried_all = trials_.size() >= shares_.size();
  const bool is_back = trials_.size() > 1 && trials_.back().share == 1.0;
  if (has_tried_all || is_back) return std::nullopt;
  if (trials_.empty()) return 1.0;
  // Lower caps are slower still.
  const bool is_too_slow =
      trials_.back().step_seconds > (1.0 + max_slowdown_) * trials_.front().step_seconds;
  return is_too_slow ? 1.0 : shares_[trials_.size()];
}

void CapSweep::add(double step_seconds, double step_joules) {
  trials_.push_back({*next(), step_seconds, step_joules});
}

CapTrial CapSweep::uncapped() const {
  const CapTrial& first = trials_.front();
  const CapTrial& last = trials_.back();
  return {1.0, (first.step_seconds + last.step_seconds) / 2,
          (first.step_joules + last.step_joules) / 2};
}

CapTrial CapSweep::chosen() const {
  const CapTrial former = uncapped();
  CapTrial best = former;
  for (const CapTrial& trial : trials_) {
    const bool is_fast_enough = trial.step_seconds <= (1.0 + max_slowdown_) * former.step_seconds;
    const bool saves = trial.step_joules <= (1.0 - kWorthSaving) * former.step_joules;
    if (trial.share < 1.0 && is_fast_enough && saves && trial.step_joules < best.step_joules)
      best = trial;
  }
  return best;
}

}  // namespace lmtrain
