// How long a rank has made no progress, and how long it may. Part of the watchdog.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "base/phase.h"
#include "parallel/rank_activity.h"

namespace lmtrain {

// A clock that stands while the whole process, or its machine, is suspended: it is asked about once
// a second, and counts no more than two seconds of a longer gap.
class WakeClock {
 public:
  explicit WakeClock(double now) : last_(now) {}
  // `now` by monotonic_seconds(). Returns the seconds that count since the last call.
  double advance(double now);
  double seconds() const { return seconds_; }

 private:
  double last_;
  double seconds_ = 0;
};

class IdleWatch {
 public:
  // To be called about once a second. `seconds` have passed since the last call, by a WakeClock.
  struct Signs {
    bool is_busy = false;           // the process has computed, read or written since then
    bool waits_for_a_disk = false;  // its training thread does now
    double starved_seconds = 0;     // in which that thread could run, and others had the processors
  };
  void look(const RankActivity::Seen& seen, double seconds, const Signs& signs);

  // How long the rank has done nothing that is seen, and was not believed to get on, without the
  // time in which it was starved; and how long it has done nothing that is seen.
  double idle_seconds() const { return idle_; }
  double unseen_seconds() const { return unseen_; }
  // How long that may last: max(least, 3 x the 99th percentile of what the phase took before).
  double limit_seconds(double least_seconds) const;

 private:
  using Intervals = std::deque<double>;  // between two signs of progress, whole seconds
  const Intervals& of_phase() const { return intervals_[static_cast<size_t>(phase_)]; }

  std::array<Intervals, kNumPhases> intervals_;
  int64_t progress_ = -1;
  Phase phase_ = Phase::kStartup;
  double idle_ = 0;
  double unseen_ = 0;
};

}  // namespace lmtrain
