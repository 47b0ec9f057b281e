#include "base/failure_watcher.h"

#include <utility>

namespace lmtrain {

FailureWatcher::FailureWatcher(double interval_seconds,
                               std::function<void(const std::string&)> on_failure)
    : on_failure_(std::move(on_failure)), thread_(interval_seconds, [this] { return look(); }) {}

int FailureWatcher::add(Probe probe) {
  const std::lock_guard lock(mutex_);
  probes_.emplace(++num_added_, std::move(probe));
  return num_added_;
}

void FailureWatcher::remove(int number) {
  const std::lock_guard lock(mutex_);
  probes_.erase(number);
}

bool FailureWatcher::look() {
  const std::string failure = first_failure();
  if (failure.empty()) return true;
  // The lock is not held here: on_failure may wait for a thread that removes a probe.
  on_failure_(failure);
  return false;
}

std::string FailureWatcher::first_failure() {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, probe] : probes_) {
    std::string failure = probe();
    if (!failure.empty()) return failure;
  }
  return "";
}

}  // namespace lmtrain
