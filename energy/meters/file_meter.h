// Meters of sensors that Linux shows as one file with one whole number in it, as hwmon does
// (Documentation/hwmon/sysfs-interface).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "energy/meters/counter.h"
#include "energy/meters/meter.h"

namespace lmtrain {

// Meters an energy counter in microjoules.
std::unique_ptr<Meter> make_energy_file_meter(MeterInfo info, std::filesystem::path input,
                                              EnergyCounter::Limits limits);

struct PowerFile {
  std::filesystem::path input;  // holds microwatts
  double relative_error;        // of the energy
  // Why a reading of 0 W is no measurement; "" when it is one.
  std::string why_zero_is_missing;
};

// Meters power by integrating it.
std::unique_ptr<Meter> make_power_file_meter(MeterInfo info, PowerFile file);

}  // namespace lmtrain
