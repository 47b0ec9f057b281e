// Samples a rank's meters on a thread of its own and keeps the ledger. It sleeps, looks at the
// phase about 20 times a second and reads the meters every interval, which costs about 0.1% of a
// core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/phase.h"
#include "energy/ledger.h"
#include "energy/meter.h"
#include "energy/totals.h"

namespace lmtrain {

class PowerLogger {
 public:
  // `start` says who and where; its sensors and time are filled in. The first sample is taken at
  // once, and the interval is shortened where a counter would wrap unseen. Throws IoError when the
  // ledger cannot be opened.
  PowerLogger(std::vector<std::unique_ptr<Meter>> meters, AttemptStart start,
              const std::filesystem::path& ledger, const PhaseTracker& phases,
              double interval_seconds);
  ~PowerLogger();
  PowerLogger(const PowerLogger&) = delete;
  PowerLogger& operator=(const PowerLogger&) = delete;

  // The step under way, from first_step on, never going back.
  void set_step(int64_t step) noexcept { step_.store(step, std::memory_order_relaxed); }

  // Of this rank's sensors over the last interval; 0 until there is one.
  double recent_watts() const noexcept { return watts_.load(std::memory_order_relaxed); }
  // Of this rank's sensors since the start, up to the last sample.
  double joules() const noexcept { return joules_.load(std::memory_order_relaxed); }
  EnergyTotals totals() const;

  // Takes a sample now and forces the ledger to disk: for checkpoints and before a report.
  void flush();
  // Takes the last sample, ends the attempt in the ledger and the thread. Calls after it do
  // nothing.
  void stop() noexcept;

 private:
  void run() noexcept;
  void observe_phase(double now);
  void sample(double now);

  const std::vector<std::unique_ptr<Meter>> meters_;
  const PhaseTracker& phases_;
  const double begin_;
  const double cpu_at_begin_;
  double interval_;

  mutable std::mutex mutex_;  // guards all below but the atomics
  std::condition_variable wake_;
  bool stopping_ = false;
  LedgerWriter ledger_;
  bool warned_ = false;  // that the ledger cannot be written
  EnergyTotals totals_;
  std::array<double, kNumPhases> phase_seconds_{};
  double observed_;  // when the phase was last looked at
  double meter_seconds_ = 0.0;
  double watts_begin_ = 0.0;
  double watts_joules_ = 0.0;

  std::atomic<int64_t> step_;
  std::atomic<double> watts_{0.0};
  std::atomic<double> joules_{0.0};
  std::thread thread_;
};

}  // namespace lmtrain
