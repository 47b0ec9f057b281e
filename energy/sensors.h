// Which sensors a node has, and which rank counts which of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/meter.h"

namespace lmtrain {

// The meters that the rank `local_rank` of a node owns. Every sensor has exactly one owner, so that
// the sum over ranks counts nothing twice: what belongs to the node (processors, memory) is owned
// by local rank 0, a GPU by the first rank that uses it; GPUs that no rank uses are not counted.
//
// `gpu_of_local_rank` has one entry for each rank of the node: its GPU as a selector for
// Nvml::find(), or
// "" when it computes on the processors.
//
// Processors: RAPL packages and their memory; else hwmon; else the model. Memory that RAPL does not
// show is modelled. A sensor that should be there and cannot be read is metered as missing.
std::vector<std::unique_ptr<Meter>> choose_sensors(
    const SensorRoots& roots, const EnergyConfig& config, int local_rank,
    const std::vector<std::string>& gpu_of_local_rank);

}  // namespace lmtrain
