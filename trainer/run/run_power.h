// Starts the power logger of this rank.
#pragma once

#include <memory>

#include "base/phase.h"
#include "energy/energy_config.h"
#include "energy/power_logger.h"
#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// Collective. The number of the attempt that begins now, after those whose ledgers are there; on
// rank 0 with notes on ledgers that were set aside.
NextAttempt agree_on_attempt(const RunFolder& folder, Launch& launch);

// Collective. Starts this rank's logger for that attempt, whose first step is `first_step`. The
// ranks agree on which of them owns which sensor.
std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const RunFolder& folder,
                                                const Compute& compute, int64_t attempt,
                                                int64_t first_step, PhaseTracker& phases,
                                                Launch& launch);

}  // namespace lmtrain
