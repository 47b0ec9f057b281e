// A thread that asks again and again whether something has failed: for failures that the threads of
// the work cannot see, since they wait for what has failed.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/repeating_thread.h"

namespace lmtrain {

class FailureWatcher {
 public:
  // "" while all is well, else what has failed. Returns soon.
  using Probe = std::function<std::string()>;

  // `on_failure` is called once, on the watcher's thread, with what the first probe to fail said.
  // It may end the process.
  FailureWatcher(double interval_seconds, std::function<void(const std::string&)> on_failure);

  // Returns the probe's number.
  int add(Probe probe);
  // When it returns, the probe is not running and will not run again.
  void remove(int number);

 private:
  // Whether all is well.
  bool look();
  std::string first_failure();

  const std::function<void(const std::string&)> on_failure_;
  std::mutex mutex_;
  std::map<int, Probe> probes_;
  int num_added_ = 0;
  RepeatingThread thread_;
};

}  // namespace lmtrain
