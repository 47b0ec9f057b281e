#include "base/memory_watch.h"

#include <algorithm>

#include "base/machine_memory.h"

namespace lmtrain {
namespace {

constexpr double kIntervalSeconds = 0.01;

}  // namespace

MemoryWatch::MemoryWatch()
    : start_(anonymous_bytes()), peak_(start_), thread_(kIntervalSeconds, [this] {
        look();
        return true;
      }) {}

void MemoryWatch::look() {
  try {
    peak_ = std::max(peak_.load(), anonymous_bytes());
  } catch (...) {  // NOLINT(bugprone-empty-catch): a failed reading is skipped
  }
}

}  // namespace lmtrain
