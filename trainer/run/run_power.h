// Starts the power logger of this rank.
#pragma once

#include <memory>

#include "base/phase.h"
#include "energy/energy_config.h"
#include "energy/grid/energy_price.h"
#include "energy/grid/intensity_series.h"
#include "energy/ledger/power_logger.h"
#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// Starts the logger of the rank at `place`, for an attempt that began at `began`.
// `gpu_of_local_rank` is that of SensorSearch.
std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const RankPlace& place,
                                                const std::vector<std::string>& gpu_of_local_rank,
                                                double began, PhaseTracker& phases);

// Collective. Starts this rank's logger, for an attempt that began at `began` by
// monotonic_seconds(). The ranks agree on which of them owns which sensor.
std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const Compute& compute,
                                                double began, PhaseTracker& phases, Launch& launch);
// When this process began, by monotonic_seconds().
double process_began();

// Collective. The number of the attempt that begins now, after those whose ledgers are there; on
// rank 0 with notes on ledgers that were set aside.
NextAttempt agree_on_attempt(const RunFolder& folder, Launch& launch);

// Collective. The series of energy.intensity_file, which rank 0 reads for all; null without one.
// Throws ConfigError.
std::shared_ptr<const IntensitySeries> agree_on_series(const LoadedConfig& loaded, Launch& launch);

// The price by the config and its series, if there is one; it says what of it nobody has set.
// Throws ConfigError.
EnergyPrice price_of_attempt(const LoadedConfig& loaded, const IntensitySeries* series);

}  // namespace lmtrain
