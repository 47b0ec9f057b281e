// Ends a launcher that does not end by itself.
#pragma once

namespace lmtrain {

// Starts a process that outlives this one. Where the program that started this process is mpirun,
// or its daemon on this host, and still lives after so many seconds, that process ends it (SIGTERM,
// then SIGKILL). Open MPI's mpirun waits for the daemons of all hosts, and for one behind a lost
// link it waits for ever, with the allocation. Does nothing for other parents, such as srun's.
void end_launcher_later(double seconds);

}  // namespace lmtrain
