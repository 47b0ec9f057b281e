#include "parallel/idle_watch.h"

#include <algorithm>
#include <vector>

namespace lmtrain {
namespace {

constexpr double kLongestGap = 2.0;
constexpr size_t kKept = 1000;
// So many intervals tell what a phase takes. Before, a rank that computes, reads or writes is
// believed to get on: nobody knows how long its first steps take.
constexpr size_t kEnough = 20;

// Whether a phase is alike in each step. Start-up, evaluations and saves may hold one long piece of
// work behind many short ones.
bool is_regular(Phase phase) {
  return phase == Phase::kData || phase == Phase::kForward || phase == Phase::kBackward ||
         phase == Phase::kCommunication || phase == Phase::kOptimizer;
}

}  // namespace

double WakeClock::advance(double now) {
  const double passed = std::min(now - last_, kLongestGap);
  last_ = now;
  seconds_ += passed;
  return passed;
}

void IdleWatch::look(const RankActivity::Seen& seen, double seconds, const Signs& signs) {
  if (seen.progress != progress_) {
    Intervals& intervals = intervals_[static_cast<size_t>(phase_)];
    intervals.push_back(unseen_);
    if (intervals.size() > kKept) intervals.pop_front();
    progress_ = seen.progress;
    phase_ = seen.phase;
    idle_ = unseen_ = 0;
    return;
  }
  unseen_ += seconds;
  // A disk may take minutes for what a save has written, and not each file system says that it
  // does.
  const bool is_believed =
      !seen.is_in_operation &&
      (signs.waits_for_a_disk || seen.waits_for_save ||
       (signs.is_busy && !(is_regular(phase_) && of_phase().size() >= kEnough)));
  idle_ = is_believed ? 0 : idle_ + std::max(0.0, seconds - signs.starved_seconds);
}

double IdleWatch::limit_seconds(double least_seconds) const {
  std::vector<double> sorted(of_phase().begin(), of_phase().end());
  if (sorted.size() < kEnough) return least_seconds;
  const auto at =
      sorted.begin() + static_cast<int64_t>(0.99 * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return std::max(least_seconds, 3.0 * *at);
}

}  // namespace lmtrain
