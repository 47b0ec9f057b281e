// What a run had spent when a step was done, so that losses can stand over time and energy.
#pragma once

#include <cstdint>

#include "energy/report/report.h"

namespace lmtrain {

struct SpentUntilStep {
  double seconds = 0.0;  // of all attempts until then, without the pauses between them
  double joules = 0.0;   // of the computers, of all ranks
};

// When `step` steps were done for the last time, with all that earlier attempts had spent. Within
// an attempt by the course of its rank 0: ranks go in step.
SpentUntilStep spent_until_step(const EmissionsReport& report, int64_t step);

}  // namespace lmtrain
