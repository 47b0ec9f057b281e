// What the steps, saves and validations of a run took, from its metrics.
#pragma once

#include <optional>

#include "trainer/config/run_folder.h"

namespace lmtrain {

// Medians, in seconds, since first steps and last saves take longer than others.
struct MeasuredTimes {
  int64_t num_steps = 0;
  int64_t num_saves = 0;
  int64_t num_validations = 0;
  double step = 0;
  double stall = 0;    // of training, for a save
  double work = 0;     // of a save, without rests
  double persist = 0;  // until it counts
  double validation = 0;
  double all_validations = 0;  // the sum
  double checkpoint_bytes = 0;
};

// Throws DataError where the folder has no metrics.
MeasuredTimes measured_times(const RunFolder& folder);

}  // namespace lmtrain
