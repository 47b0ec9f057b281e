// Reads the meters of a rank on a thread of its own and writes the ledger. The thread looks at the
// phase about 20 times a second, reads the meters once in each interval and sleeps in between. This
// costs about 0.1% of a core.
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
  // Fills in the sensors and the time of `start`, and takes the first sample at once. Shortens the
  // interval if a counter could wrap within it. Throws IoError when the ledger cannot be opened.
  PowerLogger(std::vector<std::unique_ptr<Meter>> meters, AttemptStart start,
              const std::filesystem::path& ledger, const PhaseTracker& phases,
              double interval_seconds);
  ~PowerLogger();
  PowerLogger(const PowerLogger&) = delete;
  PowerLogger& operator=(const PowerLogger&) = delete;

  // Tells the logger which step is being computed. Steps start at first_step and never decrease.
  void set_step(int64_t step) noexcept { step_.store(step, std::memory_order_relaxed); }

  // Mean power of this rank's sensors over the last interval; 0 before the first one has ended.
  double recent_watts() const noexcept { return watts_.load(std::memory_order_relaxed); }
  // Energy of this rank's sensors from the start to the last sample.
  double joules() const noexcept { return joules_.load(std::memory_order_relaxed); }
  EnergyTotals totals() const;

  // Takes a sample now and forces the ledger to disk, for checkpoints and before a report.
  void flush();
  // Takes the last sample, ends the attempt in the ledger and ends the thread. Later calls do
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

  mutable std::mutex mutex_;  // guards all members below it except the atomics
  std::condition_variable wake_;
  bool stopping_ = false;
  LedgerWriter ledger_;
  bool warned_ = false;  // that the ledger cannot be written
  EnergyTotals totals_;
  std::array<double, kNumPhases> phase_seconds_{};
  double observed_;  // the time of the last look at the phase
  double meter_seconds_ = 0.0;
  double watts_begin_ = 0.0;
  double watts_joules_ = 0.0;

  std::atomic<int64_t> step_;
  std::atomic<double> watts_{0.0};
  std::atomic<double> joules_{0.0};
  std::thread thread_;
};

}  // namespace lmtrain
