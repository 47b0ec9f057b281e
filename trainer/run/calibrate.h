// A few real steps of a config on this machine, for a plan of the whole run.
#pragma once

#include <filesystem>
#include <optional>

#include "parallel/launch.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/run_plan.h"

namespace lmtrain {

struct Calibration {
  PartTimes times;
  MachinePower power;             // of all nodes together
  double joules = 0;              // that the calibration itself took
  std::filesystem::path ledgers;  // that it leaves, which `lmtrain emissions` adds up
};

// Collective. Trains so many steps, with a validation before and after and a save, in a folder of
// its own beside the run's (DIR/NAME.calibration-...), which it removes but for its ledgers, in
// CACHE/energy. What it returns is on rank 0. Throws as training does.
std::optional<Calibration> calibrate(const LoadedConfig& loaded, int64_t steps, Launch& launch);

}  // namespace lmtrain
