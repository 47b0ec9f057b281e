// Reads the meters of a rank on a thread of its own and writes the ledger. The thread looks at the
// phase about 20 times a second, reads the meters once in each interval and sleeps in between. This
// costs about 0.1% of a core.
//
// A logger starts before anybody knows which run it belongs to, so that the time in which a run
// finds its beginning is metered too. What it reads waits in memory until write_to() names the
// ledger.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/machine_memory.h"
#include "base/phase.h"
#include "energy/ledger/ledger.h"
#include "energy/ledger/node_share.h"
#include "energy/ledger/totals.h"
#include "energy/meters/meter.h"

namespace lmtrain {

class PowerLogger {
 public:
  struct Options {
    double interval_seconds = 1.0;  // shortened if a counter could wrap within it
    // When the attempt began, by monotonic_seconds(); the time from then to the first sample, which
    // is taken at once, has no readings. Nothing: it begins now.
    std::optional<double> began;
    std::filesystem::path procfs = "/proc";
  };
  PowerLogger(std::vector<std::unique_ptr<Meter>> meters, RankPlace place,
              const PhaseTracker& phases, const Options& options);
  ~PowerLogger();
  PowerLogger(const PowerLogger&) = delete;
  PowerLogger& operator=(const PowerLogger&) = delete;

  // Which attempt it is that is being metered. Called once.
  struct Attempt {
    int64_t number = 1;
    int64_t first_step = 0;
    EnergyPrice price;
    std::optional<BatchJob> job;
    std::shared_ptr<const IntensitySeries> series = nullptr;  // of the grid; null without one
  };
  // Writes what has been read so far, and from now on each sample. Throws IoError when the ledger
  // cannot be opened.
  void write_to(const std::filesystem::path& ledger, const Attempt& attempt);

  // Tells the logger which step is being computed. Steps start at first_step and never decrease.
  void set_step(int64_t step) noexcept { step_.store(step, std::memory_order_relaxed); }

  // Since the attempt began.
  double seconds() const { return monotonic_seconds() - begin_; }

  // Mean power of this rank's sensors over the last interval; 0 before the first one has ended. Of
  // a node that other jobs use too it is this job's part, as if all of its ranks were alike.
  double recent_watts() const noexcept { return watts_.load(std::memory_order_relaxed); }
  // Their energy from the start to the last sample, by the same rule.
  double joules() const noexcept { return joules_.load(std::memory_order_relaxed); }
  // gCO2e that they cause at the price of the attempt; 0 before write_to().
  double grams() const noexcept { return grams_.load(std::memory_order_relaxed); }
  // The same energy, but each span is counted once, by the job's part of the node at that time, so
  // that it never falls: differences of it are what a span of time has cost.
  double spent_joules() const noexcept { return spent_joules_.load(std::memory_order_relaxed); }
  // What held the clocks of this rank's GPU down at the last sample (energy/meters/clock_limits.h).
  uint64_t clock_limits() const noexcept { return clock_limits_.load(std::memory_order_relaxed); }
  EnergyTotals totals() const;

  // Takes other intensities of the grid for the time since the last sample on.
  void set_series(std::shared_ptr<const IntensitySeries> series);

  // Takes a sample now, for checkpoints and before a report.
  void take_sample();
  // Takes the last sample, ends the attempt in the ledger and ends the thread. Later calls do
  // nothing. An attempt whose last steps are thrown away has not ended in order.
  void stop(bool in_order = true) noexcept;

 private:
  void run() noexcept;
  void observe_phase(double now);
  void sample(double now);

  void find_grid(EnergySample& sample) const;
  void keep(const LedgerRecord& record);
  std::optional<NodeUse> node_use();

  const std::vector<std::unique_ptr<Meter>> meters_;
  const PhaseTracker& phases_;
  OwnMemory own_memory_;
  NodeUseReader node_;
  const double begin_;
  const double cpu_at_begin_;
  const int exceptions_at_begin_ = std::uncaught_exceptions();
  std::optional<NodeUse> node_at_begin_;  // on the first rank of a node
  double interval_;

  mutable std::mutex mutex_;  // guards all members below it except the atomics
  std::condition_variable wake_;
  bool stopping_ = false;
  bool in_order_ = true;
  std::optional<LedgerWriter> ledger_;
  std::vector<EnergySample> waiting_;  // for the ledger
  std::shared_ptr<const IntensitySeries> series_;
  bool warned_ = false;  // that the ledger cannot be written
  EnergyTotals totals_;
  std::array<double, kNumPhases> phase_seconds_{};
  double observed_;  // the time of the last look at the phase
  double meter_seconds_ = 0.0;
  double watts_begin_ = 0.0;
  double spent_at_watts_begin_ = 0.0;
  RecentShare recent_share_;

  std::atomic<int64_t> step_;
  std::atomic<double> watts_{0.0};
  std::atomic<uint64_t> clock_limits_{0};
  std::atomic<double> joules_{0.0};
  std::atomic<double> grams_{0.0};
  std::atomic<double> spent_joules_{0.0};
  std::thread thread_;
};

}  // namespace lmtrain
