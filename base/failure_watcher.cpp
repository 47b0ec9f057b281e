#include "base/failure_watcher.h"

#include <chrono>
#include <utility>

namespace lmtrain {

FailureWatcher::FailureWatcher(double interval_seconds,
                               std::function<void(const std::string&)> on_failure)
    : interval_seconds_(interval_seconds),
      on_failure_(std::move(on_failure)),
      thread_([this] { run(); }) {}

FailureWatcher::~FailureWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

int FailureWatcher::add(Probe probe) {
  const std::lock_guard lock(mutex_);
  probes_.emplace(++num_added_, std::move(probe));
  return num_added_;
}

void FailureWatcher::remove(int number) {
  const std::lock_guard lock(mutex_);
  probes_.erase(number);
}

void FailureWatcher::run() {
  const std::chrono::duration<double> interval(interval_seconds_);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
    const std::string failure = first_failure();
    if (failure.empty()) continue;
    lock.unlock();  // what it does may wait for a thread that removes a probe
    on_failure_(failure);
    return;
  }
}

std::string FailureWatcher::first_failure() const {
  for (const auto& [number, probe] : probes_) {
    std::string failure = probe();
    if (!failure.empty()) return failure;
  }
  return "";
}

}  // namespace lmtrain
