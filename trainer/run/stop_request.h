// The request to stop: SIGUSR1 (which mpirun passes on to all ranks), SIGTERM, SIGHUP or SIGINT
// (Ctrl-C), or the end of the job's time (deadline.h).
#pragma once

#include <string>

namespace lmtrain {

// From now on a request ends the process at once, with ExitCode::kStopped and a line: before the
// training loop there is nothing to save.
void catch_stop_signals();

// While it lives a request sets a flag only, on which the ranks agree at the end of each step and
// within whatever else takes long. A second Ctrl-C still ends the process at once, with exit code
// 130.
class StopWhenAgreed {
 public:
  StopWhenAgreed();
  ~StopWhenAgreed();
  StopWhenAgreed(const StopWhenAgreed&) = delete;
  StopWhenAgreed& operator=(const StopWhenAgreed&) = delete;
};
bool stop_is_requested();

// The same as a signal, for `reason`, which stays; any thread may call it.
void request_stop(const std::string& reason);
// "on request", or why request_stop was called.
std::string stop_reason();

}  // namespace lmtrain
