// The most memory that a process came to hold: the kernel keeps a peak of all resident pages, but
// not of those that are no file's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace lmtrain {

// Looks at anonymous memory a hundred times a second from construction on.
class MemoryWatch {
 public:
  MemoryWatch();
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  // Bytes above what there was at construction.
  int64_t peak_bytes() const { return peak_ - start_; }

 private:
  void look();

  int64_t start_;
  std::atomic<int64_t> peak_;
  bool stopping_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lmtrain
