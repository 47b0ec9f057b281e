// The most memory that a process came to hold: the kernel keeps a peak of all resident pages, but
// not of those that are no file's.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/repeating_thread.h"

namespace lmtrain {

// Looks at anonymous memory a hundred times a second from construction on.
class MemoryWatch {
 public:
  MemoryWatch();

  // Bytes above what there was at construction.
  int64_t peak_bytes() const { return peak_ - start_; }

 private:
  void look();

  int64_t start_;
  std::atomic<int64_t> peak_;
  RepeatingThread thread_;
};

}  // namespace lmtrain
