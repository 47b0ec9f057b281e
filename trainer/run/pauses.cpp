#include "trainer/run/pauses.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/grid/energy_price.h"

namespace lmtrain {

Pauses::Pauses(const EnergyConfig& config, double paused_before)
    : config_(config), file_(pause_file(config)), paused_(paused_before) {
  if (!config.schedule.pause_above) return;
  std::error_code error;
  written_ = std::filesystem::last_write_time(file_, error);
  try {
    series_ = IntensitySeries::load(file_);
  } catch (const Error& problem) {
    throw ConfigError(cat("energy.schedule.intensity: ", problem.what()));
  }
}

double Pauses::left() const {
  return config_.schedule.max_delay.value_or(std::numeric_limits<double>::infinity()) - paused_;
}

void Pauses::read_again() {
  std::error_code error;
  const auto written = std::filesystem::last_write_time(file_, error);
  if (error && !is_gone_) {
    log_warn(cat("energy.schedule goes on with the series as it was: ", file_.string(), ": ",
                 error.message()));
  }
  is_gone_ = static_cast<bool>(error);
  if (error || written == written_) return;
  written_ = written;
  try {
    series_ = IntensitySeries::load(file_);
  } catch (const Error& problem) {
    log_warn(cat("energy.schedule goes on with the series as it was: ", problem.what()));
  }
}

bool Pauses::is_due(double now) {
  constexpr double kLookSeconds = 0.9;
  if (!config_.schedule.pause_above || left() <= 0) return false;
  if (now >= looked_ && now - looked_ < kLookSeconds) return was_due_;
  looked_ = now;
  read_again();
  was_due_ = series_->at(now).value_or(0) > *config_.schedule.pause_above;
  return was_due_;
}

std::string Pauses::reason(double now) const {
  return cat("the grid emits ", shortest(series_->at(now).value_or(0)),
             " gCO2e/kWh, more than energy.schedule.pause_above = ",
             shortest(*config_.schedule.pause_above));
}

double Pauses::next_start(double now) const { return std::min(next_clean_hour(now), now + left()); }

bool Pauses::next_is_cleaner(double now) const { return next_clean_hour(now) <= now + left(); }

double Pauses::next_clean_hour(double now) const {
  double time = now;
  for (const IntensitySeries::Span& span : series_->spans()) {
    if (span.end <= time) continue;
    if (span.begin > time || span.g_per_kwh <= *config_.schedule.pause_above) break;
    time = span.end;
  }
  return time;
}

}  // namespace lmtrain
