#include "parallel/caching_allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

namespace lmtrain {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// Smaller blocks are left to malloc, which keeps them itself.
constexpr size_t kSmallest = size_t{64} << 10;

// Sizes are rounded up to one of eight steps per power of two, so that a block fits the next
// request of about its size and at most an eighth is lost.
size_t size_class(size_t bytes) {
  const size_t step = std::max<size_t>(1, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

class CachingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* block = nullptr;
    if (bytes < kSmallest) {
      block = aligned(kAlignment, std::max<size_t>(bytes, 1));
    } else {
      const size_t size = size_class(bytes);
      block = take(size);
      if (block == nullptr) block = fresh(size);
    }
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  void release_free_blocks() {
    const std::lock_guard lock(mutex_);
    for (const auto& [size, blocks] : free_) {
      for (void* block : blocks) {
        size_of_.erase(block);
        std::free(block);
      }
    }
    free_.clear();
  }

  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator;  // outlives every tensor
    return *allocator;
  }

 private:
  CachingAllocator() = default;

  static void* aligned(size_t alignment, size_t size) {
    void* block = nullptr;
    if (posix_memalign(&block, alignment, size) != 0) throw std::bad_alloc();
    return block;
  }

  // A free block of the size, or a little larger: batches of other widths ask for other sizes, and
  // what the widest one leaves serves them, too.
  void* take(size_t size) {
    constexpr size_t kLargest = 2;  // times the size
    const std::lock_guard lock(mutex_);
    for (auto found = free_.lower_bound(size);
         found != free_.end() && found->first <= kLargest * size; ++found) {
      if (found->second.empty()) continue;
      void* block = found->second.back();
      found->second.pop_back();
      return block;
    }
    return nullptr;
  }

  void* fresh(size_t size) {
    void* block = aligned(size >= kHugePage ? kHugePage : kAlignment, size);
    if (size >= kHugePage) madvise(block, size, MADV_HUGEPAGE);  // advice: may be refused
    const std::lock_guard lock(mutex_);
    size_of_.emplace(block, size);
    return block;
  }

  static void release(void* block) {
    CachingAllocator& self = instance();
    const std::lock_guard lock(self.mutex_);
    const auto size = self.size_of_.find(block);
    if (size == self.size_of_.end()) {
      std::free(block);
    } else {
      self.free_[size->second].push_back(block);
    }
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  std::unordered_map<void*, size_t> size_of_;
};

}  // namespace

void release_cached_blocks() { CachingAllocator::instance().release_free_blocks(); }

void install_caching_allocator() {
  c10::SetCPUAllocator(&CachingAllocator::instance(), /*priority=*/1);
}

}  // namespace lmtrain
