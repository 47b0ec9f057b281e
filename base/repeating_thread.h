// A thread that does something again and again.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace lmtrain {

class RepeatingThread {
 public:
  // Calls `work` every `interval_seconds`, the first time after so long, until it returns false or
  // this object goes, which waits for a call under way and for no other one. `work` throws nothing.
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
