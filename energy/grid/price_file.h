// Which file of intensities over time energy counts at.
#pragma once

#include <string>

#include "energy/energy_config.h"

namespace lmtrain {

// energy.intensity_file, else that of energy.schedule; "" without one.
inline const std::string& price_file(const EnergyConfig& config) {
  return config.intensity_file.empty() ? config.schedule.intensity : config.intensity_file;
}

}  // namespace lmtrain
