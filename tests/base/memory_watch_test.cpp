#include "base/memory_watch.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a peak is missed, is forgotten when the memory is freed, or includes memory that was held
// before the watch began.
TEST(MemoryWatch, KeepsThePeakOfWhatCameAfterIt) {
  constexpr size_t kBytes = size_t{64} << 20;
  const auto before = std::make_unique<char[]>(kBytes);
  std::memset(before.get(), 1, kBytes);
  const MemoryWatch watch;
  EXPECT_LT(watch.peak_bytes(), int64_t{16} << 20);
  {
    const auto more = std::make_unique<char[]>(kBytes);
    std::memset(more.get(), 1, kBytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_GT(watch.peak_bytes(), static_cast<int64_t>(kBytes) * 9 / 10);
  EXPECT_LT(watch.peak_bytes(), static_cast<int64_t>(kBytes) * 2);
}

}  // namespace
}  // namespace lmtrain
