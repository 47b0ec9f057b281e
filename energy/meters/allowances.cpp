// What no sensor shows, as fixed watts of a node that the config gives: the rest of the node
// (energy.other_watts), and its share of the network and of the storage.
#include <memory>

#include "base/text.h"
#include "energy/meters/power_model.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

// Nothing is known of how these watts change with the work.
constexpr double kRelativeError = 0.5;

class AllowanceMeter : public Meter {
 public:
  AllowanceMeter(MeterInfo info, double watts) : Meter(std::move(info)), watts_(watts) {}

  Reading read(double now) override {
    const double seconds = read_ ? now - *read_ : 0.0;
    read_ = now;
    return reading_within(seconds, watts_ * seconds, kRelativeError);
  }

 private:
  double watts_;
  std::optional<double> read_;
};

FoundSensor allowance(const std::string& name, const std::string& label, double watts) {
  FoundSensor sensor;
  sensor.info = {cat("allowance:", name), label, DeviceKind::kOther, Quality::kModelled, watts};
  sensor.owner = 0;
  sensor.remarks = cat(shortest(watts), " W, as energy.", name, "_watts gives");
  sensor.make = [info = sensor.info, watts] {
    return std::make_unique<AllowanceMeter>(info, watts);
  };
  return sensor;
}

}  // namespace

std::vector<FoundSensor> allowance_sensors(const SensorSearch& search) {
  const EnergyConfig& config = search.config;
  std::vector<FoundSensor> sensors;
  if (config.other_watts > 0)
    sensors.push_back(allowance("other", "rest of the node (allowance)", config.other_watts));
  for (const auto& [name, watts] :
       {std::pair{"network", config.network_watts}, std::pair{"storage", config.storage_watts}}) {
    if (watts <= 0) continue;
    sensors.push_back(allowance(name, cat("share of the ", name, " (allowance)"), watts));
    sensors.back().is_outside_node = true;
  }
  return sensors;
}

double allowance_watts(const EnergyConfig& config) {
  return config.other_watts + config.network_watts + config.storage_watts;
}

}  // namespace lmtrain
