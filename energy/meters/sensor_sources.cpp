#include "energy/meters/sensor_sources.h"

namespace lmtrain {

std::vector<SensorSource> sensor_sources() {
  return {
      node_watts_sensors,  // the whole node
      cray_sensors,        // the whole node
      rapl_sensors,        // processors and their memory
      hwmon_sensors,       // processors
      model_sensors,       // processors and memory, from load and size
      amdgpu_sensors,      // AMD GPUs
      nvml_sensors,        // NVIDIA GPUs
      allowance_sensors,   // what no sensor shows
  };
}

}  // namespace lmtrain
