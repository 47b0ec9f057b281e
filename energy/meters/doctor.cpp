#include "energy/meters/doctor.h"

#include "base/text.h"
#include "energy/meters/sensor_sources.h"
#include "energy/meters/sensors.h"

namespace lmtrain {
namespace {

std::string remarks_of(const ListedSensor& listed) {
  const FoundSensor& sensor = listed.sensor;
  std::vector<std::string> remarks;
  if (!sensor.why_unreadable.empty()) {
    remarks.push_back(sensor.why_unreadable);
  } else if (!sensor.why_not_counted.empty()) {
    remarks.push_back(sensor.why_not_counted);
  } else if (!listed.covered_by.empty()) {
    remarks.push_back(cat("its energy is in ", listed.covered_by, ", which is counted"));
  }
  if (!sensor.remarks.empty()) remarks.push_back(sensor.remarks);
  return join(remarks, "; ");
}

}  // namespace

std::vector<SensorDescription> describe_sensors(const SensorRoots& roots,
                                                const EnergyConfig& config) {
  SensorSearch search{roots, config, {""}};
  search.list_unused_gpus = true;
  std::vector<SensorDescription> descriptions;
  for (const ListedSensor& listed : list_sensors(search, sensor_sources())) {
    const bool readable = listed.sensor.why_unreadable.empty();
    descriptions.push_back(
        {listed.sensor.info.key, readable, readable && listed.counted(), remarks_of(listed)});
  }
  return descriptions;
}

}  // namespace lmtrain
