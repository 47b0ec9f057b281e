#include "trainer/run/stop_request.h"

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr int kEndedByCtrlC = 128 + SIGINT;  // what a shell says of a program that SIGINT ended

// A handler may touch nothing else.
volatile std::sig_atomic_t received = 0;
volatile std::sig_atomic_t is_agreed = 0;
volatile std::sig_atomic_t speaks = 1;

std::mutex reason_mutex;
std::string reason;  // of request_stop

void say(std::string_view line) {
  if (speaks == 0) return;
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
}

void on_request(int signal) {
  if (is_agreed == 0) {
    say("\nstopped on request while it started; the same command starts again\n");
    _exit(static_cast<int>(ExitCode::kStopped));
  }
  if (received != 0 && signal == SIGINT) {
    say("\nended at once; the same command continues from the newest checkpoint\n");
    _exit(kEndedByCtrlC);
  }
  received = 1;
  if (signal == SIGINT)
    say("\nthis step is the last: the run is saved and ends; Ctrl-C again ends it at once\n");
}

}  // namespace

void catch_stop_signals() {
  // Of the ranks of a job one speaks.
  for (const char* const variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"}) {
    const char* const rank = std::getenv(variable);
    if (rank != nullptr) speaks = std::string_view(rank) == "0" ? 1 : 0;
  }
  struct sigaction action = {};
  action.sa_handler = on_request;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
  // The terminal is gone; under nohup the signal is ignored, and stays so.
  struct sigaction before = {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

StopWhenAgreed::StopWhenAgreed() { is_agreed = 1; }
StopWhenAgreed::~StopWhenAgreed() { is_agreed = 0; }

bool stop_is_requested() { return received != 0; }

void request_stop(const std::string& why) {
  {
    const std::lock_guard lock(reason_mutex);
    if (reason.empty()) reason = why;
  }
  if (is_agreed == 0) {
    if (speaks != 0)
      log_info(cat("stopped while it started, because ", why, "; the same command starts again"));
    _exit(static_cast<int>(ExitCode::kStopped));
  }
  received = 1;
}

std::string stop_reason() {
  const std::lock_guard lock(reason_mutex);
  return reason.empty() ? "on request" : cat("because ", reason);
}

}  // namespace lmtrain
