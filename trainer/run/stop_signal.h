// The request to stop: SIGUSR1 (which mpirun passes on to all ranks), SIGTERM, or SIGINT (Ctrl-C).
#pragma once

namespace lmtrain {

// From now on a request ends the process at once, with ExitCode::kStopped and a line: before the
// training loop there is nothing to save.
void catch_stop_signals();

// While it lives a request sets a flag only, on which the ranks agree at the end of each step. A
// second Ctrl-C still ends the process at once, with exit code 130.
class StopAfterStep {
 public:
  StopAfterStep();
  ~StopAfterStep();
  StopAfterStep(const StopAfterStep&) = delete;
  StopAfterStep& operator=(const StopAfterStep&) = delete;
};
bool stop_signal_received();

}  // namespace lmtrain
