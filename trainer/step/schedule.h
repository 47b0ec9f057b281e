// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>

#include "trainer/config/config.h"

namespace lmtrain {

// How many steps warm up: schedule.warmup_steps, or schedule.warmup_ratio of all.
int64_t warmup_of(const ScheduleConfig& schedule, int64_t steps);

// Returns the rate of step `step` (0 .. steps-1, and between two where a budget shortens the run:
// trainer/run/budget.h): linear warm-up from lr / warmup to lr, then
//   cosine               half a cosine down to lr * min_lr_ratio at the last step (Loshchilov and
//                        Hutter, 2017)
//   linear               a straight line down to the same rate
//   constant_then_decay  lr, then over the last decay_fraction of all steps a straight line down to
//                        the same rate (WSD; Hu et al., 2024)
double learning_rate(const ScheduleConfig& schedule, double lr, int64_t steps, double step);

// Whether the rate of that step is one of those that fall, after warm-up and any constant part.
bool has_begun_to_decay(const ScheduleConfig& schedule, int64_t steps, int64_t step);

}  // namespace lmtrain
