// The request to stop by SIGUSR1 (which mpirun passes on to all ranks) or SIGTERM.
#pragma once

namespace lmtrain {

// Makes the two signals set a flag only. The ranks agree on it at the end of each step.
void catch_stop_signals();
bool stop_signal_received();

}  // namespace lmtrain
