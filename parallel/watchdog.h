// Finds ranks that hang, and ends their job with ExitCode::kHang and a table of what each rank does
// (after the flight recorder of PyTorch and MegaScale's diagnosis; Jiang et al., NSDI 2024).
//
// A thread on each rank tells rank 0 twice a second what the rank is doing, in a group of its
// own, so that it gets through whatever the other threads wait for. Rank 0 ends the job when
//   - a rank has said nothing for the least time (it is stopped, or its host or link is lost),
//   - a rank that waits for nobody has made no progress for longer than its phase allows
//     (parallel/idle_watch.h), or
//   - all ranks wait for each other for that long.
// The others watch rank 0 alone. Seconds in which all of a rank's threads were stopped do not count
// on it, so that a job that is suspended as a whole, or a paused machine, is no hang.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <mpi.h>

#include "parallel/rank_activity.h"

namespace lmtrain {

struct WatchdogOptions {
  double least_seconds = 30.0;   // 0: nobody is ended
  double most_seconds = 1800.0;  // without progress, whatever the rank seems to do; 0: for ever
};

class Watchdog {
 public:
  // Collective over `world`; MPI_COMM_NULL stands for one rank, with or without MPI. Else MPI must
  // allow calls from several threads. The calling thread is the one that trains. `host` names this
  // rank's node. `ends_job` is called on the watchdog's thread with what it found; should it
  // return, the watchdog goes on.
  Watchdog(MPI_Comm world, std::string host, const RankActivity& activity,
           std::function<void(const std::string&)> ends_job);
  // From here on the rank is not watched; it need not be called on all ranks at once.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void set_options(const WatchdogOptions& options);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace lmtrain
