#include "parallel/device.h"

#include <algorithm>

#include <c10/core/CachingDeviceAllocator.h>

#include "parallel/caching_allocator.h"

namespace lmtrain {

void note_sharing(RankDevice& device, Launch& launch) {
  const std::vector<std::string> on_node = launch.gather_on_node(device.gpu_selector);
  if (device.gpu_selector.empty()) return;
  const auto sharing = std::count(on_node.begin(), on_node.end(), device.gpu_selector);
  device.is_shared = sharing > 1;
  if (device.free_memory_bytes) *device.free_memory_bytes /= std::max<int64_t>(1, sharing);
}

int64_t peak_tensor_bytes(at::Device gpu) {
  using c10::CachingAllocator::StatType;
  const auto stats = c10::getDeviceAllocator(gpu.type())->getDeviceStats(gpu.index());
  return stats.allocated_bytes.at(static_cast<size_t>(StatType::AGGREGATE)).peak;
}

void release_unused_memory(at::Device device) {
  release_cached_blocks();
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->emptyCache();
}

}  // namespace lmtrain
