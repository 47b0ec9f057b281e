#include "parallel/stack_trace.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr int kMostCalls = 64;
constexpr int kOwnCalls = 2;  // the handler's, and the system's that called it

std::array<void*, kMostCalls> calls{};
std::atomic<int> num_calls = 0;

int trace_signal() { return SIGRTMIN + 5; }

void take_trace(int) { num_calls = backtrace(calls.data(), kMostCalls); }

std::string name_of_call(void* address) {
  Dl_info info = {};
  if (dladdr(address, &info) == 0 || info.dli_sname == nullptr) {
    const char* const file = info.dli_fname;
    return file == nullptr ? "?" : cat("? in ", file);
  }
  int status = 0;
  char* const readable = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  std::string name = status == 0 ? readable : info.dli_sname;
  std::free(readable);
  constexpr size_t kLongest = 120;
  if (name.size() > kLongest) name = cat(name.substr(0, kLongest), "...");
  return name;
}

// "State: D (disk sleep), waiting in nfs_wait_bit_killable"
std::string what_system_says(int thread_id) {
  const std::string folder = cat("/proc/self/task/", thread_id, "/");
  std::ifstream status(folder + "status");
  std::string state = "nothing is known of the thread";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:")) state = "the thread does not answer; " + line;
  }
  std::string channel;
  std::ifstream(folder + "wchan") >> channel;
  return channel.empty() || channel == "0" ? state : cat(state, ", waiting in ", channel);
}

}  // namespace

void prepare_stack_traces() {
  backtrace(calls.data(), 1);  // loads a library, which a handler must not
  struct sigaction action = {};
  action.sa_handler = take_trace;
  action.sa_flags = SA_RESTART;
  sigaction(trace_signal(), &action, nullptr);
}

std::string stack_trace_of(pthread_t thread, int thread_id) {
  num_calls = 0;
  if (pthread_kill(thread, trace_signal()) != 0) return what_system_says(thread_id);
  for (int i = 0; i < 100 && num_calls == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (num_calls == 0) return what_system_says(thread_id);
  std::string text;
  for (int i = kOwnCalls; i < num_calls; ++i)
    text += cat("  ", i - kOwnCalls, "  ", name_of_call(calls[static_cast<size_t>(i)]), "\n");
  return text;
}

}  // namespace lmtrain
