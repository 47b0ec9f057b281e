#include "energy/meters/sensor_source.h"

#include "base/text.h"

namespace lmtrain {

FoundSensor nothing_found(const std::string& source, const std::string& why) {
  FoundSensor sensor;
  sensor.info.key = source;
  sensor.why_unreadable = why;
  sensor.why_not_counted = why;
  return sensor;
}

FoundSensor whole_node_sensor(const std::string& key, const std::string& label,
                              const std::string& why_unreadable) {
  FoundSensor sensor;
  sensor.info = {key, label, DeviceKind::kOther, Quality::kMeasured};
  sensor.covers = {DeviceKind::kCpu, DeviceKind::kMemory, DeviceKind::kGpu, DeviceKind::kOther};
  sensor.owner = 0;
  sensor.why_unreadable = why_unreadable;
  if (!why_unreadable.empty()) sensor.why_not_counted = "it cannot be read";
  return sensor;
}

std::optional<int> first_user(const std::vector<std::string>& gpu_of_local_rank,
                              const std::function<bool(const std::string& selector)>& names_it) {
  for (size_t rank = 0; rank < gpu_of_local_rank.size(); ++rank) {
    const std::string& selector = gpu_of_local_rank[rank];
    if (!selector.empty() && names_it(selector)) return static_cast<int>(rank);
  }
  return std::nullopt;
}

void add_unknown_gpus(std::vector<FoundSensor>& sensors, const SensorSearch& search,
                      const std::string& source,
                      const std::function<std::string(const std::string& selector)>& why_unknown) {
  std::set<std::string> seen;
  for (size_t rank = 0; rank < search.gpu_of_local_rank.size(); ++rank) {
    const std::string& selector = search.gpu_of_local_rank[rank];
    if (selector.empty() || !seen.insert(selector).second) continue;
    const std::string why = why_unknown(selector);
    if (why.empty()) continue;
    FoundSensor sensor;
    sensor.info = {cat(source, ":", selector), cat("GPU ", selector), DeviceKind::kGpu,
                   Quality::kMeasured};
    sensor.owner = static_cast<int>(rank);
    sensor.why_unreadable = why;
    sensors.push_back(std::move(sensor));
  }
}

}  // namespace lmtrain
