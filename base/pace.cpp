#include "base/pace.h"

#include <chrono>

#include "base/clock.h"
#include "base/phase.h"

namespace lmtrain {

void Pace::start() { worked_until_ = clock_seconds(CLOCK_THREAD_CPUTIME_ID); }

void Pace::rest() {
  const double now = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
  const double worked = now - worked_until_;
  worked_until_ = now;
  if (share_ >= 1.0) return;
  const double begin = monotonic_seconds();
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::duration<double>(worked * (1.0 / share_ - 1.0)),
                 [this] { return is_hurried_; });
  rested_ = rested_ + monotonic_seconds() - begin;
}

void Pace::hurry() {
  {
    const std::lock_guard lock(mutex_);
    is_hurried_ = true;
  }
  wake_.notify_all();
}

}  // namespace lmtrain
