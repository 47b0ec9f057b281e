// A thread that asks again and again whether something has failed: for failures that the threads of
// the work cannot see, since they wait for what has failed.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace lmtrain {

class FailureWatcher {
 public:
  // "" while all is well, else what has failed. Returns soon.
  using Probe = std::function<std::string()>;

  // `on_failure` is called once, on the watcher's thread, with what the first probe to fail said.
  // It may end the process.
  FailureWatcher(double interval_seconds, std::function<void(const std::string&)> on_failure);
  ~FailureWatcher();
  FailureWatcher(const FailureWatcher&) = delete;
  FailureWatcher& operator=(const FailureWatcher&) = delete;

  // Returns the probe's number.
  int add(Probe probe);
  // When it returns, the probe is not running and will not run again.
  void remove(int number);

 private:
  void run();
  std::string first_failure() const;

  const double interval_seconds_;
  const std::function<void(const std::string&)> on_failure_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<int, Probe> probes_;
  int num_added_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace lmtrain
