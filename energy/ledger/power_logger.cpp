#include "energy/ledger/power_logger.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <random>
#include <utility>

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Mean time between two looks at the phase. The times vary, so that the looks do not fall into step
// with the training.
constexpr double kPhaseSeconds = 0.05;

// Blocks all signals on this thread: the training thread handles them.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

AttemptStart start_of(const RankPlace& place, double seconds_ago,
                      const std::vector<std::unique_ptr<Meter>>& meters) {
  AttemptStart start;
  start.place = place;
  start.wall_seconds = clock_seconds(CLOCK_REALTIME) - seconds_ago;
  for (const auto& meter : meters) start.sensors.push_back(meter->info());
  return start;
}

}  // namespace

PowerLogger::PowerLogger(std::vector<std::unique_ptr<Meter>> meters, RankPlace place,
                         const PhaseTracker& phases, const Options& options)
    : meters_(std::move(meters)),
      phases_(phases),
      own_memory_(options.procfs),
      node_(options.procfs),
      begin_(options.began.value_or(monotonic_seconds())),
      cpu_at_begin_(clock_seconds(CLOCK_PROCESS_CPUTIME_ID)),
      node_at_begin_(place.local_rank == 0 ? node_.read() : std::nullopt),
      interval_(options.interval_seconds),
      totals_(start_of(place, monotonic_seconds() - begin_, meters_)),
      observed_(begin_),
      watts_begin_(options.began ? monotonic_seconds() : begin_),
      step_(0) {
  for (const auto& meter : meters_) {
    interval_ = std::min(interval_, meter->max_seconds_between_reads());
  }
  sample(watts_begin_);
  const BlockedSignals blocked;
  thread_ = std::thread([this] { run(); });
}

// An attempt that an exception ends has not ended in order: its last steps may be computed again.
PowerLogger::~PowerLogger() { stop(std::uncaught_exceptions() <= exceptions_at_begin_); }

EnergyTotals PowerLogger::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void PowerLogger::write_to(const std::filesystem::path& ledger, const Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  ledger_.emplace(ledger);
  series_ = attempt.series;
  AttemptStart start = totals_.start;
  start.attempt = attempt.number;
  start.first_step = attempt.first_step;
  start.price = attempt.price;
  start.job = attempt.job;
  step_.store(attempt.first_step, std::memory_order_relaxed);
  keep(start);
  totals_ = EnergyTotals(std::move(start));
  for (EnergySample& sample : waiting_) {
    sample.step = attempt.first_step;
    find_grid(sample);
    totals_.add(sample);
    keep(sample);
  }
  waiting_.clear();
}

void PowerLogger::set_series(std::shared_ptr<const IntensitySeries> series) {
  const std::lock_guard lock(mutex_);
  series_ = std::move(series);
}

void PowerLogger::take_sample() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  sample(monotonic_seconds());
}

void PowerLogger::stop(bool in_order) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) in_order_ = in_order;
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PowerLogger::run() noexcept {
  try {
    std::unique_lock lock(mutex_);
    double next = observed_ + interval_;
    std::minstd_rand random;
    std::uniform_real_distribution<double> look(0.5 * kPhaseSeconds, 1.5 * kPhaseSeconds);
    while (!stopping_) {
      const double pause = std::min(look(random), next - monotonic_seconds());
      if (pause > 0.0) wake_.wait_for(lock, std::chrono::duration<double>(pause));
      const double now = monotonic_seconds();
      observe_phase(now);
      if (now < next && !stopping_) continue;
      meter_seconds_ = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
      sample(now);
      // Samples that were missed while the whole process was stopped are not taken afterwards.
      next = std::max(next + interval_, now);
    }
    if (!ledger_) return;
    if (in_order_) keep(AttemptStop{totals_.seconds});
    ledger_->sync();
  } catch (const std::exception& error) {
    log_warn(cat("energy is no longer metered: ", error.what()));
  }
}

void PowerLogger::observe_phase(double now) {
  phase_seconds_[static_cast<size_t>(phases_.current())] += now - observed_;
  observed_ = now;
}

void PowerLogger::sample(double now) {
  observe_phase(now);
  EnergySample sample;
  sample.seconds = now - begin_;
  sample.wall_seconds = clock_seconds(CLOCK_REALTIME);
  sample.cpu_seconds = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_at_begin_;
  sample.meter_seconds = meter_seconds_;
  sample.memory_bytes = static_cast<double>(own_memory_.anonymous_bytes().value_or(0));
  sample.node = node_use();
  sample.step = std::max(totals_.last_step, step_.load(std::memory_order_relaxed));
  sample.phase_seconds = std::exchange(phase_seconds_, {});
  uint64_t clock_limits = 0;
  for (const auto& meter : meters_) {
    sample.readings.push_back(meter->read(now));
    clock_limits |= meter->clock_limits();
  }
  clock_limits_.store(clock_limits, std::memory_order_relaxed);
  find_grid(sample);
  totals_.add(sample);
  // The job's share of its node becomes known better with each sample, and changes what all samples
  // before are counted for. What was spent since the last one is counted once, by the share of now.
  const double own = totals_.own_joules();
  joules_.store(own, std::memory_order_relaxed);
  if (const std::optional<EnergyPrice>& price = totals_.start.price) {
    EnergyPrice mean = *price;
    mean.grid.g_per_kwh = totals_.timed.mean_g_per_kwh(totals_.joules(), price->grid.g_per_kwh);
    grams_.store(own * mean.grams_per_joule(), std::memory_order_relaxed);
  }
  const NodeShare share = recent_share_.at(totals_.seconds, work_of(totals_));
  double spent = spent_joules();
  for (size_t i = 0; i < meters_.size(); ++i) {
    const Reading& reading = sample.readings[i];
    if (!reading.is_missing())
      spent += std::max(0.0, reading.joules) * share_of(share, meters_[i]->info().kind);
  }
  spent_joules_.store(spent, std::memory_order_relaxed);
  if (ledger_)
    keep(sample);
  else
    waiting_.push_back(std::move(sample));

  const double span = now - watts_begin_;
  if (span < 0.5 * interval_) return;
  watts_.store((spent - spent_at_watts_begin_) / span, std::memory_order_relaxed);
  watts_begin_ = now;
  spent_at_watts_begin_ = spent;
}

// By the clock of this host, over the time since the last sample.
void PowerLogger::find_grid(EnergySample& sample) const {
  if (!series_) return;
  const double now = sample.wall_seconds;
  sample.grid_g_per_kwh = series_->mean(now - (sample.seconds - totals_.seconds), now);
}

void PowerLogger::keep(const LedgerRecord& record) {
  ledger_->append(record);
  if (ledger_->failing() && !warned_) {
    log_warn("the energy ledger cannot be written (is the disk full?); readings wait in memory");
  }
  warned_ = ledger_->failing();
}

std::optional<NodeUse> PowerLogger::node_use() {
  if (!node_at_begin_) return std::nullopt;
  std::optional<NodeUse> use = node_.read();
  if (use) use->busy_cpu_seconds -= node_at_begin_->busy_cpu_seconds;
  return use;
}

}  // namespace lmtrain
