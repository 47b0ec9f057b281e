// Keeps the work of a thread to a share of one core, so that it takes little from threads that
// compute meanwhile.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace lmtrain {

class Pace {
 public:
  // `share` of a core, above 0; with 1 the thread never rests. `on_work`, if there is one, is called
  // at each rest(), also where that does not sleep.
  explicit Pace(double share, std::function<void()> on_work = {})
      : share_(share), on_work_(std::move(on_work)) {}

  // The working thread calls start() first, and rest() after each piece of work: it sleeps for as
  // long as the CPU time since the last call demands.
  void start();
  void rest();
  // Any thread: from now on rest() returns at once, and so does one that is under way.
  void hurry();
  // How long the thread has rested.
  double rested_seconds() const { return rested_; }

 private:
  const double share_;
  const std::function<void()> on_work_;
  double worked_until_ = 0;  // by the thread's CPU clock
  std::atomic<double> rested_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_hurried_ = false;
};

}  // namespace lmtrain
