// Which sensors of a node are counted, and by which rank.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/meters/meter.h"
#include "energy/meters/sensor_source.h"

namespace lmtrain {

struct ListedSensor {
  FoundSensor sensor;
  std::string covered_by;  // key of a counted sensor that contains its energy; "" when none does

  // Whether its owner adds up what it reads.
  bool counted() const { return sensor.why_not_counted.empty() && covered_by.empty(); }
};

// Every sensor that `sources` find, in their order, and what covers it. All ranks of a node get the
// same list.
std::vector<ListedSensor> list_sensors(const SensorSearch& search,
                                       const std::vector<SensorSource>& sources);

// The meters that the rank `local_rank` of a node owns. Every sensor has one owner, so that the sum
// over ranks counts nothing twice. `gpu_of_local_rank` is that of SensorSearch.
std::vector<std::unique_ptr<Meter>> choose_sensors(
    const SensorRoots& roots, const EnergyConfig& config, int local_rank,
    const std::vector<std::string>& gpu_of_local_rank);

}  // namespace lmtrain
