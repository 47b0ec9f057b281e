// Processor sensors of Linux's hwmon drivers, for machines whose RAPL cannot be read
// (Documentation/hwmon: amd_energy, fam15h_power, power_meter of NVIDIA Grace).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "energy/meters/meter.h"

namespace lmtrain {

struct HwmonSensor {
  std::filesystem::path input;  // energyN_input, powerN_input or powerN_average
  std::string key;              // "hwmon:amd_energy/Esocket0", or with "#2" for the next such one
  bool is_energy;               // a counter in microjoules; else power in microwatts
  std::string why_not_counted;  // "" for a sensor of one whole processor
  std::string why_unreadable;   // "" when it can be read

  bool counted() const { return why_not_counted.empty(); }
};

// Every energy and power input under SYSFS/class/hwmon but those of GPUs. Only whole processors are
// counted: other inputs may contain one another, and their names do not tell which do.
std::vector<HwmonSensor> find_hwmon_sensors(const std::filesystem::path& sysfs);

// A meter of a sensor that is counted.
std::unique_ptr<Meter> make_hwmon_meter(const HwmonSensor& sensor);

}  // namespace lmtrain
