#include "base/failure_watcher.h"

#include <array>
#include <atomic>
#include <chrono>
#include <future>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

constexpr double kOften = 0.001;
constexpr std::chrono::seconds kPatience(20);

// Defect: a failure is not reported, is reported repeatedly, or is reported before it happens.
TEST(FailureWatcher, TellsOfTheFirstFailureOnce) {
  std::atomic<int> asked = 0;
  std::atomic<int> told = 0;
  std::promise<std::string> said;
  {
    FailureWatcher watcher(kOften, [&](const std::string& failure) {
      if (++told == 1) said.set_value(failure);
    });
    watcher.add([] { return std::string(); });
    watcher.add([&] { return std::string(++asked < 3 ? "" : "the link is down"); });
    std::future<std::string> failure = said.get_future();
    ASSERT_EQ(failure.wait_for(kPatience), std::future_status::ready);
    EXPECT_EQ(failure.get(), "the link is down");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(told, 1);
  EXPECT_EQ(asked, 3);
}

// Defect: a probe runs after it was removed, when the object that it reads no longer exists.
TEST(FailureWatcher, AsksNoProbeThatWasRemoved) {
  std::array<std::atomic<bool>, 100> is_gone{};
  std::atomic<int> told = 0;
  FailureWatcher watcher(kOften, [&](const std::string&) { ++told; });
  for (std::atomic<bool>& gone : is_gone) {
    const int number = watcher.add([&gone] {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      return std::string(gone ? "asked too late" : "");
    });
    std::this_thread::sleep_for(std::chrono::microseconds(1300));  // until the probe is running
    watcher.remove(number);
    gone = true;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(told, 0);
}

// Defect: the destructor waits until the next interval has passed.
TEST(FailureWatcher, EndsAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  {
    const FailureWatcher watcher(60, [](const std::string&) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until the thread waits
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPatience);
}

}  // namespace
}  // namespace lmtrain
