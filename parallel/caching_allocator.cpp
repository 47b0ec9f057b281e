#include "parallel/caching_allocator.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace lmtrain {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Smaller blocks are left to malloc, which keeps them itself.
constexpr size_t kSmallest = size_t{64} << 10;

// Sizes are rounded up to one of eight steps per power of two, so that a block fits the next request of about
// its size and at most an eighth is lost.
size_t size_class(size_t bytes) {
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class CachingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes < kSmallest) return plain_->allocate(bytes);
    const size_t size = size_class(bytes);
    void* block = take(size);
    if (block == nullptr) block = fresh(size);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }  // some blocks are plain_'s

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator;  // outlives every tensor
    return *allocator;
  }

 private:
  CachingAllocator() : plain_(c10::GetDefaultCPUAllocator()) {}

  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    const auto found = free_.find(size);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    return block;
  }

  void* fresh(size_t size) {
    const size_t alignment = size >= kHugePage ? kHugePage : 4096;
    void* block = nullptr;
    if (posix_memalign(&block, alignment, size) != 0) throw std::bad_alloc();
    if (size >= kHugePage) madvise(block, size, MADV_HUGEPAGE);  // advice: may be refused
    const std::lock_guard lock(mutex_);
    size_of_.emplace(block, size);
    return block;
  }

  static void release(void* block) {
    CachingAllocator& self = instance();
    const std::lock_guard lock(self.mutex_);
    self.free_[self.size_of_.at(block)].push_back(block);
  }

  c10::Allocator* plain_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  std::map<void*, size_t> size_of_;
};

}  // namespace

void install_caching_allocator() { c10::SetCPUAllocator(&CachingAllocator::instance(), /*priority=*/1); }

}  // namespace lmtrain
