#include "base/memory_watch.h"

#include <algorithm>
#include <chrono>

#include "base/machine_memory.h"

namespace lmtrain {

MemoryWatch::MemoryWatch()
    : start_(anonymous_bytes()), peak_(start_), thread_([this] { look(); }) {}

MemoryWatch::~MemoryWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void MemoryWatch::look() {
  constexpr auto kInterval = std::chrono::milliseconds(10);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    try {
      peak_ = std::max(peak_.load(), anonymous_bytes());
    } catch (...) {  // a reading that fails is one less
      continue;
    }
  }
}

}  // namespace lmtrain
