// A pool of threads for many short jobs.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lmtrain {

class WorkerPool {
 public:
  // The calling thread is one of the `num_threads`.
  explicit WorkerPool(int num_threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int num_threads() const { return static_cast<int>(threads_.size()) + 1; }
  // Calls job(0), ..., job(num_threads - 1), each on its own thread, and waits for all of them.
  // When jobs throw, run() then throws one of their exceptions.
  void run(const std::function<void(int thread)>& job);

 private:
  void work(int thread);
  void run_one(int thread);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(int)>* job_ = nullptr;
  int64_t num_jobs_ = 0;  // jobs started so far
  int num_running_ = 0;
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace lmtrain
