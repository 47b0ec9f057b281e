// Measures the peak of the process's anonymous memory. The kernel itself records only the peak of
// all resident pages, which includes those of files.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/machine_memory.h"
#include "base/repeating_thread.h"

namespace lmtrain {

// Reads the anonymous memory a hundred times a second from construction on.
class MemoryWatch {
 public:
  MemoryWatch();

  // Returns the peak in bytes above the amount at construction.
  int64_t peak_bytes() const { return peak_ - start_; }

 private:
  void look();

  OwnMemory memory_;
  int64_t start_;
  std::atomic<int64_t> peak_;
  RepeatingThread thread_;
};

}  // namespace lmtrain
