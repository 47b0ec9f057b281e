#include "trainer/run/stop_signal.h"

#include <csignal>

namespace lmtrain {
namespace {

volatile std::sig_atomic_t received = 0;  // a handler may touch nothing else

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { received = 1; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_signal_received() { return received != 0; }

}  // namespace lmtrain
