// The list of all sources of sensors.
#pragma once

#include <vector>

#include "energy/meters/sensor_source.h"

namespace lmtrain {

std::vector<FoundSensor> node_watts_sensors(const SensorSearch& search);  // node_watts.cpp
std::vector<FoundSensor> cray_sensors(const SensorSearch& search);        // cray.cpp
std::vector<FoundSensor> rapl_sensors(const SensorSearch& search);        // rapl.cpp
std::vector<FoundSensor> hwmon_sensors(const SensorSearch& search);       // hwmon.cpp
std::vector<FoundSensor> model_sensors(const SensorSearch& search);       // power_model.cpp
std::vector<FoundSensor> amdgpu_sensors(const SensorSearch& search);      // amdgpu.cpp
std::vector<FoundSensor> nvml_sensors(const SensorSearch& search);        // nvml_sensors.cpp
std::vector<FoundSensor> allowance_sensors(const SensorSearch& search);   // allowances.cpp

// All of them, in order of preference among sensors that cover equally much. `lmtrain doctor` and
// the ledgers show sensors in this order.
std::vector<SensorSource> sensor_sources();

}  // namespace lmtrain
