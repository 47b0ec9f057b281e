// A thread that calls a function at a fixed interval.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace lmtrain {

class RepeatingThread {
 public:
  // Calls `work` every `interval_seconds`, first after one interval, until it returns false or this
  // object is destroyed. The destructor waits only for a call that is already running. `work` must
  // not throw.
  RepeatingThread(double interval_seconds, std::function<bool()> work);
  ~RepeatingThread();
  RepeatingThread(const RepeatingThread&) = delete;
  RepeatingThread& operator=(const RepeatingThread&) = delete;

 private:
  void run();

  const double interval_seconds_;
  const std::function<bool()> work_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace lmtrain
