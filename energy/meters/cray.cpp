// The power management counters of Cray's XC and EX nodes (/sys/cray/pm_counters). A file holds
// "VALUE UNIT [TIMESTAMP us]". `energy` is that of the whole node with its accelerators, in joules
// since the node was started; `freshness` grows with each scan, of which there are `raw_scan_hz` in
// a second.
#include <algorithm>
#include <sstream>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/counter.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr double kRelativeError = 0.05;
// When so many scans bring no new value, the counters have stopped.
constexpr double kScansUntilStale = 5.0;
constexpr uint64_t kUsualScanHz = 10;

// Reads a counter and checks its unit, unless `unit` is "".
SystemNumber read_counter(const fs::path& file, const std::string& unit) {
  const SystemText content = read_system_text(file);
  if (!content.text) return {std::nullopt, cat(file.string(), ": ", content.failure)};
  std::istringstream words(*content.text);
  std::string value;
  std::string its_unit;
  words >> value >> its_unit;
  const std::optional<uint64_t> number = parse_whole_number(value);
  if (number && (unit.empty() || its_unit == unit)) return {number, ""};
  return {std::nullopt, cat(file.string(), ": \"", content.text->substr(0, 32),
                            "\" is not a number", unit.empty() ? "" : " of ", unit)};
}

class CrayNodeMeter : public Meter {
 public:
  CrayNodeMeter(MeterInfo info, fs::path folder)
      : Meter(std::move(info)),
        folder_(std::move(folder)),
        counter_({0, kMaxNodeWatts, kRelativeError}) {
    const uint64_t hertz = read_counter(folder_ / "raw_scan_hz", "").value.value_or(kUsualScanHz);
    stale_seconds_ = kScansUntilStale / static_cast<double>(std::max<uint64_t>(hertz, 1));
  }

  Reading read(double now) override {
    const SystemNumber freshness = read_counter(folder_ / "freshness", "");
    if (!freshness.value) return missing_reading(freshness.failure);
    if (freshness.value == freshness_) return without_news(now);
    const SystemNumber joules = read_counter(folder_ / "energy", "J");
    if (!joules.value) return missing_reading(joules.failure);
    freshness_ = freshness.value;
    fresh_time_ = now;
    return counter_.advance(now, *joules.value * 1'000'000);
  }

 private:
  // The next scan will bring the energy of this time too, so none is counted for it yet.
  Reading without_news(double now) const {
    const double seconds = now - fresh_time_;
    if (seconds <= stale_seconds_) return reading_within(0.0, 0.0, 0.0);
    return missing_reading(cat("its counters have not been renewed for ", fixed(seconds, 1),
                               " s (freshness stays at ", *freshness_, ")"));
  }

  fs::path folder_;
  EnergyCounter counter_;
  double stale_seconds_;
  std::optional<uint64_t> freshness_;
  double fresh_time_ = 0.0;
};

FoundSensor node_sensor(const fs::path& folder) {
  std::string why = read_counter(folder / "energy", "J").failure;
  if (why.empty()) why = read_counter(folder / "freshness", "").failure;
  FoundSensor sensor = whole_node_sensor("cray:node", "whole node (Cray pm_counters)", why);
  sensor.make = [info = sensor.info, folder] {
    return std::make_unique<CrayNodeMeter>(info, folder);
  };
  return sensor;
}

// "cpu_energy", "accel0_energy" and so on are parts of the node's energy and never counted.
FoundSensor part_sensor(const fs::path& file) {
  const std::string name = file.filename();
  FoundSensor sensor;
  sensor.info.key = "cray:" + name.substr(0, name.rfind('_'));
  sensor.why_unreadable = read_counter(file, "J").failure;
  sensor.why_not_counted = "it is a part of cray:node";
  return sensor;
}

}  // namespace

std::vector<FoundSensor> cray_sensors(const SensorSearch& search) {
  const fs::path folder = search.roots.sysfs / "cray" / "pm_counters";
  const std::vector<fs::path> files = sorted_entries(folder);
  if (files.empty()) return {};
  std::vector<FoundSensor> sensors = {node_sensor(folder)};
  for (const fs::path& file : files) {
    if (file.filename().string().ends_with("_energy")) sensors.push_back(part_sensor(file));
  }
  return sensors;
}

}  // namespace lmtrain
