#include "energy/meters/hwmon.h"

#include <array>
#include <map>
#include <string_view>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/file_meter.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Inputs that each meter one whole processor.
struct KnownInput {
  std::string_view driver;
  std::string_view label_start;
};
constexpr std::array<KnownInput, 3> kWholeProcessors = {{
    {"amd_energy", "Esocket"},       // contains the Ecore inputs
    {"fam15h_power", ""},            // has one input for each processor
    {"power_meter", "Grace Power"},  // "Module Power" contains it and the GPU
}};

// AMD GPUs have a source of their own (energy/meters/amdgpu.cpp).
constexpr std::string_view kGpuDriver = "amdgpu";

constexpr double kMaxWatts = 2000.0;
constexpr double kEnergyError = 0.05;
constexpr double kPowerError = 0.10;  // larger, since the power between two readings is unknown

// "energy3" for energy3_input, "power1" for power1_input and power1_average, else "".
std::string channel_of(const std::string& file) {
  const size_t end = file.find('_');
  if (end == std::string::npos) return "";
  const std::string channel = file.substr(0, end);
  const std::string rest = file.substr(end);
  const bool energy = channel.starts_with("energy") && rest == "_input";
  const bool power = channel.starts_with("power") && (rest == "_input" || rest == "_average");
  return energy || power ? channel : "";
}

std::string label_of(const fs::path& device, const std::string& channel) {
  for (const char* suffix : {"_label", "_oem_info"}) {
    const SystemText label = read_system_text(device / (channel + suffix));
    if (label.text && !label.text->empty()) return *label.text;
  }
  return channel;
}

std::string why_not_counted(const std::string& driver, const std::string& label) {
  for (const KnownInput& known : kWholeProcessors) {
    if (driver == known.driver && label.starts_with(known.label_start)) return "";
  }
  return "it is not known to meter a whole processor, and another sensor may contain it";
}

MeterInfo info_of(const HwmonSensor& sensor) {
  return {sensor.key, cat("hwmon ", sensor.key.substr(sensor.key.find(':') + 1)), DeviceKind::kCpu,
          Quality::kMeasured};
}

}  // namespace

std::vector<HwmonSensor> find_hwmon_sensors(const fs::path& sysfs) {
  std::vector<HwmonSensor> sensors;
  std::map<std::string, int> uses;
  for (const fs::path& device : sorted_entries(sysfs / "class" / "hwmon")) {
    const std::string driver = read_system_text(device / "name").text.value_or("unnamed");
    if (driver == kGpuDriver) continue;
    std::string last_channel;
    for (const fs::path& input : sorted_entries(device)) {
      const std::string channel = channel_of(input.filename());
      // power1_average and power1_input show the same power, so that one of them is enough.
      if (channel.empty() || channel == last_channel) continue;
      last_channel = channel;
      const std::string label = label_of(device, channel);
      std::string key = cat("hwmon:", driver, "/", label);
      if (const int use = ++uses[key]; use > 1) key += cat("#", use);
      sensors.push_back({input, key, channel.starts_with("energy"), why_not_counted(driver, label),
                         read_system_number(input).failure});
    }
  }
  return sensors;
}

std::unique_ptr<Meter> make_hwmon_meter(const HwmonSensor& sensor) {
  if (sensor.is_energy) {
    return make_energy_file_meter(info_of(sensor), sensor.input, {0, kMaxWatts, kEnergyError});
  }
  return make_power_file_meter(
      info_of(sensor), {sensor.input, kPowerError, "shows 0 W, which no processor in use draws"});
}

std::vector<FoundSensor> hwmon_sensors(const SensorSearch& search) {
  std::vector<FoundSensor> sensors;
  for (const HwmonSensor& found : find_hwmon_sensors(search.roots.sysfs)) {
    FoundSensor sensor;
    sensor.info = info_of(found);
    sensor.covers = {DeviceKind::kCpu};
    sensor.owner = 0;
    sensor.why_unreadable = found.why_unreadable;
    sensor.why_not_counted = found.why_not_counted;
    if (found.counted() && !found.why_unreadable.empty()) {
      sensor.why_not_counted = "it cannot be read";
    }
    sensor.make = [found] { return make_hwmon_meter(found); };
    sensors.push_back(std::move(sensor));
  }
  return sensors;
}

}  // namespace lmtrain
