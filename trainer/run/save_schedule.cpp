#include "trainer/run/save_schedule.h"

#include <algorithm>
#include <cmath>

#include "base/phase.h"

namespace lmtrain {
namespace {

double mtbf_seconds(const CheckpointConfig& config) { return 3600.0 * config.mtbf_hours; }

}  // namespace

double best_save_interval(double save_seconds, double persist_seconds, double mtbf_seconds) {
  return std::max(std::sqrt(2.0 * save_seconds * mtbf_seconds), persist_seconds);
}

SaveSchedule::SaveSchedule(const CheckpointConfig& config, double expected_seconds)
    : config_(config),
      interval_seconds_(
          best_save_interval(expected_seconds, expected_seconds, mtbf_seconds(config))),
      last_began_(monotonic_seconds()) {}

bool SaveSchedule::is_due_by_time() const {
  return !config_.interval && monotonic_seconds() - last_began_ >= interval_seconds_;
}

bool SaveSchedule::is_due(int64_t done, bool is_due_by_time) const {
  if (!config_.interval) return is_due_by_time;
  return *config_.interval > 0 && done > 0 && done % *config_.interval == 0;
}

void SaveSchedule::begins() { last_began_ = monotonic_seconds(); }

void SaveSchedule::takes(const SaveTimes& times) {
  interval_seconds_ =
      best_save_interval(times.work_seconds, times.persist_seconds, mtbf_seconds(config_));
}

}  // namespace lmtrain
