// A thread that regularly checks whether something has failed. It finds failures that the working
// threads cannot see because they are blocked waiting for the part that failed.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/repeating_thread.h"

namespace lmtrain {

class FailureWatcher {
 public:
  // Returns "" while all is well, else what has failed. It must not block.
  using Probe = std::function<std::string()>;

  // `on_failure` is called once, on the watcher's thread, with the text of the first probe that
  // reports a failure. It may end the process.
  FailureWatcher(double interval_seconds, std::function<void(const std::string&)> on_failure);

  // Returns the probe's number.
  int add(Probe probe);
  // After remove() returns, the probe is not running and will not run again.
  void remove(int number);

 private:
  // Runs the probes. Returns whether all is well.
  bool look();
  std::string first_failure();

  const std::function<void(const std::string&)> on_failure_;
  std::mutex mutex_;
  std::map<int, Probe> probes_;
  int num_added_ = 0;
  RepeatingThread thread_;
};

}  // namespace lmtrain
