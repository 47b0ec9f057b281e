#include "parallel/stack_trace.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lmtrain {

std::atomic<bool> may_end = false;

// Visible, so that its name can be found.
__attribute__((noinline)) void stand_somewhere() {
  while (!may_end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

namespace {

// Defect: a hung rank that does not say where it stands.
TEST(StackTrace, NamesTheCallsOfAnotherThread) {
  prepare_stack_traces();
  std::atomic<pid_t> id = 0;
  std::thread other([&] {
    id = gettid();
    stand_somewhere();
  });
  while (id == 0) continue;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::string trace = stack_trace_of(other.native_handle(), id);
  EXPECT_NE(trace.find("sleep"), std::string::npos) << trace;
  EXPECT_NE(trace.find("  0  "), std::string::npos) << trace;
  may_end = true;
  other.join();
}

}  // namespace
}  // namespace lmtrain
