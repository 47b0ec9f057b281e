// What `lmtrain doctor` says about energy: every sensor, whether it can be read, and what to do if
// it cannot.
#pragma once

#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/meters/meter.h"

namespace lmtrain {

struct SensorDescription {
  std::string name;  // "rapl:package-0"
  bool readable;
  bool counted;         // whether a run adds it up; an NVIDIA GPU is counted when a rank uses it
  std::string remarks;  // why it is not readable or not counted, and what to do
};

std::vector<SensorDescription> describe_sensors(const SensorRoots& roots,
                                                const EnergyConfig& config);

}  // namespace lmtrain
