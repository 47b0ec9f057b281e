// The Open MPI back end for CPU tensors (fp32, fp64, bf16, int64; any number of elements).
//
// Open MPI makes no progress by itself, and a rank that spins in MPI_Wait slows its neighbours. So
// one thread of a rank makes the MPI calls of its training and polls with short sleeps; the
// training thread only queues work. What communicates beside the training has groups and a thread
// of its own.
//
// Reductions send each rank its part (reduce-scatter), sum in rank order, and send the sums back
// (all-gather). So the bits are the same on every rank, in every run, however the work is cut.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include <mpi.h>

#include "parallel/communicator.h"
#include "parallel/rank_activity.h"

namespace lmtrain {

// The most bytes of other ranks' parts that a reduction holds at once, on the host.
inline constexpr int64_t kReceivedBytes = int64_t{32} << 20;

// The thread that calls MPI for a group and those split from it. Tasks run in the order in which
// they were queued.
class CommunicationThread {
 public:
  CommunicationThread();
  ~CommunicationThread();
  CommunicationThread(const CommunicationThread&) = delete;
  CommunicationThread& operator=(const CommunicationThread&) = delete;

  std::shared_future<void> submit(std::function<void()> task);

  // How long a task may wait for other ranks; 0 means for ever.
  std::atomic<double> timeout_seconds = 0;
  // Where tasks show what they do, or null, and as whose operations.
  std::shared_ptr<RankActivity> activity;
  RankActivity::Lane lane = RankActivity::Lane::kTraining;
  // The trace to which tasks add their spans, or null. Only tasks may use it.
  std::shared_ptr<Trace> trace;

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

// Makes a group of all ranks of `world`, which must be MPI_COMM_WORLD or a duplicate; MPI must be
// initialised with MPI_THREAD_SERIALIZED or more, and with MPI_THREAD_MULTIPLE where there are
// several such groups: each has a communication thread of its own. Destroy the group before
// MPI_Finalize.
std::unique_ptr<Communicator> make_mpi_communicator(
    MPI_Comm world, const std::string& axis = "world", std::shared_ptr<RankActivity> activity = {},
    RankActivity::Lane lane = RankActivity::Lane::kTraining);

}  // namespace lmtrain
