#include "trainer/step/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lmtrain {
namespace {

// Returns 0 at the first step of [begin, steps) and 1 at the last.
double progress(int64_t begin, int64_t steps, double step) {
  const int64_t length = std::max<int64_t>(1, steps - 1 - begin);
  return std::clamp((step - static_cast<double>(begin)) / static_cast<double>(length), 0.0, 1.0);
}

// The first step of the part in which the rate falls.
int64_t begin_of_decay(const ScheduleConfig& schedule, int64_t steps) {
  const int64_t warmup = warmup_of(schedule, steps);
  if (schedule.kind != ScheduleKind::kConstantThenDecay) return warmup;
  const auto decay =
      static_cast<int64_t>(std::llround(schedule.decay_fraction * static_cast<double>(steps)));
  return std::max(warmup, steps - decay);
}

}  // namespace

int64_t warmup_of(const ScheduleConfig& schedule, int64_t steps) {
  if (schedule.warmup_ratio == 0.0) return schedule.warmup_steps;
  return static_cast<int64_t>(std::ceil(schedule.warmup_ratio * static_cast<double>(steps)));
}

bool has_begun_to_decay(const ScheduleConfig& schedule, int64_t steps, int64_t step) {
  return step >= begin_of_decay(schedule, steps);
}

double learning_rate(const ScheduleConfig& schedule, double lr, int64_t steps, double step) {
  const int64_t warmup = warmup_of(schedule, steps);
  if (step < static_cast<double>(warmup)) return lr * (step + 1) / static_cast<double>(warmup);
  const double low = lr * schedule.min_lr_ratio;
  if (schedule.kind == ScheduleKind::kCosine) {
    return low +
           (lr - low) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress(warmup, steps, step)));
  }
  if (schedule.kind == ScheduleKind::kLinear)
    return low + (lr - low) * (1.0 - progress(warmup, steps, step));
  const int64_t begin = begin_of_decay(schedule, steps);
  if (step < static_cast<double>(begin)) return lr;
  return low + (lr - low) * (1.0 - progress(begin, steps, step));
}

}  // namespace lmtrain
