// Keeps the work of a thread to a share of one core, so that it takes little from threads that
// compute meanwhile.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace lmtrain {

class Pace {
 public:
  // `share` of a core, above 0; with 1 the thread never rests.
  explicit Pace(double share) : share_(share) {}

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
  double worked_until_ = 0;  // by the thread's CPU clock
  std::atomic<double> rested_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_hurried_ = false;
};

}  // namespace lmtrain
