// The ranks of a job. This starts and ends MPI, says which rank the process is, and ends all ranks
// on a failure.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "parallel/communicator.h"
#include "parallel/rank_activity.h"
#include "parallel/watchdog.h"

namespace lmtrain {

// Collective. Where any rank of the group has an error, all ranks throw the error of the lowest
// such rank, as a CollectiveError.
void throw_first(const std::optional<Error>& mine, Communicator& group);

// A process makes one of these, first of all, and destroys it last. Without mpirun or srun the job
// has one rank, and MPI is not started.
class Launch {
 public:
  // Throws ConfigError for one of several tasks that their launcher did not connect (srun without
  // --mpi=pmix, mpiexec of another MPI).
  Launch(int* argc, char*** argv);
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  int rank() const { return world_->rank(); }
  int size() const { return world_->size(); }
  // The place among the ranks of this node, and their number.
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }
  // The number of this node, and how many nodes there are.
  int node() const { return node_; }
  int num_nodes() const { return num_nodes_; }
  const std::string& host() const { return host_; }

  // Collective. Returns the texts of this node's ranks, by local rank.
  std::vector<std::string> gather_on_node(const std::string& mine);

  // The group of all ranks, for CPU tensors.
  Communicator& world() { return *world_; }

  // Collective. Another group of all ranks, whose operations and those of groups split from it run
  // on a thread of their own, beside those of world(). Null where MPI lets only one thread
  // communicate. To be destroyed before this.
  std::unique_ptr<Communicator> make_world_beside(const std::string& axis);

  // What this rank does, for the watchdog (parallel/watchdog.h). A job of several ranks has one
  // from its start, by the default options; one rank alone has one from the call of watch() on.
  RankActivity& activity() { return *activity_; }
  void watch(const WatchdogOptions& options);
  // Called with what the watchdog has found, on its thread, before it ends the job. Null: nothing
  // is.
  void on_hang(std::function<void(const std::string&)> work);

  // Says, the first time, what has failed on this rank alone. The job ends in some seconds with the
  // code of the error, whatever this thread does until then: what it destroys and records may wait
  // for a file system.
  void fail(const Error& error);
  // Ends every rank of the job with this exit code, after a failure that other ranks cannot know
  // of.
  [[noreturn]] void abort(ExitCode code) const;

  // Collective. Runs the same check on every rank. If it fails on any rank, all ranks throw the
  // error of the first such rank, so that the job ends with one message and one exit code.
  void together(const std::function<void()>& check);

  // Collective. Rank 0 does work that may take any time, without the communicators, while the
  // others wait for as long as its process runs: a rank 0 that is stopped or lost is found as
  // anywhere else. One that hangs within the work is not, which may wait for another job. An error
  // of the work is thrown by all ranks, as together() does.
  void first_works(const std::function<void()>& work);

  // Collective. Returns whether `mine` is true on any rank.
  bool any(bool mine);

  // Whether mpirun or srun started this process.
  static bool was_started_by_launcher();

  // Returns text such as "Open MPI v4.1.4", or "" without MPI.
  static std::string library_version();

 private:
  class Heartbeat;
  void find_place();
  std::unique_ptr<Watchdog> make_watchdog(MPI_Comm world);
  void abort_later(ExitCode code) const;
  [[noreturn]] void end_hung_job(const std::string& finding);

  bool uses_mpi_ = false;
  std::once_flag failure_is_said_;
  bool may_use_threads_ = true;  // MPI_THREAD_MULTIPLE
  const std::shared_ptr<RankActivity> activity_ = std::make_shared<RankActivity>();
  std::unique_ptr<Communicator> world_;
  int local_rank_ = 0;
  int local_size_ = 1;
  int node_ = 0;
  int num_nodes_ = 1;
  std::string host_;
  std::mutex hang_mutex_;
  std::function<void(const std::string&)> on_hang_;
  // Null for one rank before watch(), and for several where MPI lets one thread communicate.
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace lmtrain
