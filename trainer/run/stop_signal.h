// A wish to stop, from SIGUSR1 (mpirun passes it on to all ranks at once) or SIGTERM.
#pragma once

namespace lmtrain {

// From now on the two signals only set a flag; ranks agree on it at the end of each step.
void catch_stop_signals();
bool stop_signal_received();

}  // namespace lmtrain
