#include "base/repeating_thread.h"

#include <chrono>
#include <utility>

namespace lmtrain {

RepeatingThread::RepeatingThread(double interval_seconds, std::function<bool()> work)
    : interval_seconds_(interval_seconds), work_(std::move(work)), thread_([this] { run(); }) {}

RepeatingThread::~RepeatingThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void RepeatingThread::run() {
  const std::chrono::duration<double> interval(interval_seconds_);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    if (!work_()) return;
    lock.lock();
  }
}

}  // namespace lmtrain
