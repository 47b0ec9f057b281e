#include "trainer/run/slow_ranks.h"

#include "base/median.h"
#include "base/phase.h"
#include "energy/meters/clock_limits.h"

namespace lmtrain {
namespace {

constexpr size_t kSteps = 16;
constexpr size_t kFewestSteps = 8;
constexpr double kSlow = 1.25;
constexpr double kNoLongerSlow = 1.1;
constexpr double kLeastSeconds = 0.005;  // shorter differences are not worth a word

}  // namespace

std::vector<SlowRanks::Finding> SlowRanks::add(const std::vector<RankSpeed>& speeds) {
  ranks_.resize(speeds.size());
  std::vector<double> seconds;
  for (size_t rank = 0; rank < speeds.size(); ++rank) {
    std::deque<RankSpeed>& steps = ranks_[rank].steps;
    steps.push_back(speeds[rank]);
    if (steps.size() > kSteps) steps.pop_front();
    std::vector<double> recent;
    for (const RankSpeed& step : steps) recent.push_back(step.compute_seconds);
    seconds.push_back(median(recent));
  }
  std::vector<Finding> findings;
  if (speeds.size() < 2 || ranks_[0].steps.size() < kFewestSteps) return findings;
  for (size_t rank = 0; rank < speeds.size(); ++rank) {
    std::vector<double> others = seconds;
    others.erase(others.begin() + static_cast<int64_t>(rank));
    const double usual = median(others);
    Recent& recent = ranks_[rank];
    if (recent.is_slow) {
      recent.is_slow = seconds[rank] > kNoLongerSlow * usual;
      continue;
    }
    recent.is_slow = seconds[rank] > kSlow * usual && seconds[rank] - usual > kLeastSeconds;
    if (!recent.is_slow) continue;
    double stolen = 0;
    uint64_t clock_limits = 0;
    for (const RankSpeed& step : recent.steps) {
      stolen += step.stolen_share;
      clock_limits |= step.clock_limits;
    }
    findings.push_back({rank, seconds[rank], usual,
                        stolen / static_cast<double>(recent.steps.size()), clock_limits});
  }
  return findings;
}

std::vector<SlowRanks::HeldDown> SlowRanks::held_down() {
  std::vector<HeldDown> found;
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    Recent& recent = ranks_[rank];
    const uint64_t bad = ~kPowerCap & kClockLimits;
    uint64_t in_last = recent.steps.size() >= kFewestSteps ? bad : 0;
    uint64_t in_any = 0;
    for (size_t i = 0; i < recent.steps.size(); ++i) {
      const uint64_t limits = recent.steps[i].clock_limits & bad;
      in_any |= limits;
      if (i + kFewestSteps >= recent.steps.size()) in_last &= limits;
    }
    if (in_last != 0 && !recent.is_held_down) found.push_back({rank, in_last});
    recent.is_held_down = in_last != 0 || (recent.is_held_down && in_any != 0);
  }
  return found;
}

double StolenTime::share() {
  const double now = monotonic_seconds();
  if (read_at_ > 0 && now - read_at_ < 1.0) return share_;
  const std::optional<CpuTicks> ticks = parse_cpu_ticks(stat_.read());
  if (!ticks) return 0;
  if (read_at_ > 0 && ticks->total > ticks_.total) {
    share_ = (ticks->stolen - ticks_.stolen) / (ticks->total - ticks_.total);
  }
  read_at_ = now;
  ticks_ = *ticks;
  return share_;
}

}  // namespace lmtrain
