#include "base/memory_watch.h"

#include <algorithm>

namespace lmtrain {
namespace {

constexpr double kIntervalSeconds = 0.01;

}  // namespace

MemoryWatch::MemoryWatch()
    : start_(memory_.anonymous_bytes().value_or(0)),
      peak_(start_),
      thread_(kIntervalSeconds, [this] {
        look();
        return true;
      }) {}

void MemoryWatch::look() { peak_ = std::max(peak_.load(), memory_.anonymous_bytes().value_or(0)); }

}  // namespace lmtrain
