#include "data/tokenizer/worker_pool.h"

#include <utility>

namespace lmtrain {

WorkerPool::WorkerPool(int num_threads) {
  for (int thread = 1; thread < num_threads; ++thread) {
    threads_.emplace_back([this, thread] { work(thread); });
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(const std::function<void(int)>& job) {
  {
    const std::lock_guard lock(mutex_);
    job_ = &job;
    num_running_ = num_threads();
    ++num_jobs_;
  }
  changed_.notify_all();
  run_one(0);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return num_running_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void WorkerPool::work(int thread) {
  for (int64_t seen = 0;; ++seen) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ended_ || num_jobs_ > seen; });
      if (ended_) return;
    }
    run_one(thread);
  }
}

void WorkerPool::run_one(int thread) {
  std::exception_ptr error;
  try {
    (*job_)(thread);
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (error) error_ = error;
  if (--num_running_ == 0) changed_.notify_all();
}

}  // namespace lmtrain
