// A whole run, from the config to the report: `lmtrain CONFIG`.
#pragma once

#include <string>

#include "base/error.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Collective. Prepares the data, trains from the newest checkpoint or from nothing, validates,
// saves, and writes the report. kDone: all steps are done (now or before); kStopped: stopped on
// request after a save. Throws CollectiveError for what all ranks know of, and other exceptions for
// what only this rank does.
ExitCode run_training(const LoadedConfig& loaded, const std::string& command_line, Launch& launch);

}  // namespace lmtrain
