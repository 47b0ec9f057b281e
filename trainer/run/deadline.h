// When a run must have ended by itself: before the batch system, or the user's run.stop_after, ends
// it. The run is asked to stop so long before that a step, a save and the report still fit.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/batch_job.h"
#include "base/repeating_thread.h"
#include "trainer/config/config.h"

namespace lmtrain {

// What a save may take where a rank writes so many bytes, to a file system that is slow.
double expected_save_seconds(double bytes);

class Deadline {
 public:
  // Seconds by monotonic_seconds(), and what ends then ("the time of Slurm job 77 is up"). Nothing
  // where neither the job nor the config sets an end.
  struct End {
    double seconds = 0;
    std::string reason;
  };
  static std::optional<End> end_of(const RunConfig& config, const std::optional<BatchJob>& job);

  // Watches the clock from now on, and calls request_stop when the time has come. `job` as
  // batch_job() gives it.
  Deadline(const RunConfig& config, const std::optional<BatchJob>& job);

  // What this machine takes, as it becomes known; `expected` before a save has been measured.
  void expect_save(double seconds);
  void note_save(double seconds);
  void note_step(double seconds);

  // How long before its end the run is asked to stop.
  double margin_seconds() const;

 private:
  std::optional<End> end_;
  std::optional<double> fixed_margin_;
  std::atomic<double> save_seconds_ = 0;  // the longest one, or what is expected
  std::atomic<double> step_seconds_ = 0;  // the longest one
  std::atomic<bool> has_saved_ = false;
  std::unique_ptr<RepeatingThread> watching_;
};

}  // namespace lmtrain
