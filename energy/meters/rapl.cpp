#include "energy/meters/rapl.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <regex>
#include <thread>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/counter.h"
#include "energy/meters/power_model.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// More than any processor package or its memory draws: a counter that runs faster is wrong.
constexpr double kMaxWatts = 1000.0;
// The maker calibrates the counters. Comparisons with wall meters find errors of this order.
constexpr double kRelativeError = 0.05;

// "intel-rapl:0:1" is a part of "intel-rapl:0"; "intel-rapl" itself is not a zone.
bool is_zone(const std::string& entry) {
  return entry.starts_with("intel-rapl") && entry.find(':') != std::string::npos;
}
std::string parent_of(const std::string& entry) { return entry.substr(0, entry.rfind(':')); }

std::string interface_of(const std::string& entry) { return entry.substr(0, entry.find(':')); }

// The part of a key that the dies of a package and zones of one name have in common:
// "rapl:package-0/dram" for "rapl:package-0-die-1/dram#2".
std::string family_of(const std::string& key) {
  static const std::regex kDieOrNumber("-die-[0-9]+|#[0-9]+$");
  return std::regex_replace(key, kDieOrNumber, "");
}

// Whether two zones of one family show one counter. Counters of two dies never meet by chance: one
// that is read between two readings of the other, and lies between them, is the same.
bool is_same_counter(const RaplZone& a, const RaplZone& b) {
  if (family_of(a.key) != family_of(b.key)) return false;
  const auto before = read_system_number(a.folder / "energy_uj").value;
  const auto between = read_system_number(b.folder / "energy_uj").value;
  const auto after = read_system_number(a.folder / "energy_uj").value;
  if (!before || !between || !after || *before == 0) return false;
  return *before <= *between && *between <= *after;
}

std::string explain(const std::string& failure, const fs::path& counter) {
  if (failure.find("Permission denied") == std::string::npos) return failure;
  return cat(failure, "; only root may read it (CVE-2020-8694): run `sudo chmod a+r ",
             counter.string(), "` after each boot, or ask the administrator");
}

RaplRole role_of(const std::string& name) {
  if (name.starts_with("package")) return RaplRole::kPackage;
  if (name == "dram") return RaplRole::kDram;
  return name == "psys" ? RaplRole::kPlatform : RaplRole::kPart;
}

std::string why_not_counted(RaplRole role) {
  switch (role) {
    case RaplRole::kPackage:
    case RaplRole::kDram:
      return "";
    case RaplRole::kPart:
      return "it is a part of its package, which is counted";
    case RaplRole::kPlatform:
      return "it contains the packages, which are counted";
    case RaplRole::kDuplicate:
      break;
  }
  return "it shows the counter of a zone that is counted already";
}

MeterInfo info_of(const RaplZone& zone) {
  const DeviceKind kind = zone.role == RaplRole::kDram ? DeviceKind::kMemory : DeviceKind::kCpu;
  return {zone.key, cat("RAPL ", zone.key.substr(zone.key.find(':') + 1)), kind, Quality::kMeasured,
          zone.stand_in_watts};
}

// The zones of the register interface come before those of "intel-rapl-mmio", which shows packages
// again.
std::vector<fs::path> zone_folders(const fs::path& sysfs) {
  std::vector<fs::path> folders = sorted_entries(sysfs / "class" / "powercap");
  std::erase_if(folders, [](const fs::path& folder) { return !is_zone(folder.filename()); });
  std::stable_partition(folders.begin(), folders.end(), [](const fs::path& folder) {
    return folder.filename().string().find("mmio") == std::string::npos;
  });
  return folders;
}

class RaplMeter : public Meter {
 public:
  RaplMeter(MeterInfo info, fs::path counter_file, uint64_t range)
      : Meter(std::move(info)),
        counter_file_(std::move(counter_file)),
        counter_({range, kMaxWatts, kRelativeError}) {}

  Reading read(double now) override {
    const SystemNumber number = read_system_number(counter_file_);
    if (!number.value) return missing_reading(explain(number.failure, counter_file_));
    return counter_.advance(now, *number.value);
  }

  double max_seconds_between_reads() const override { return counter_.max_seconds_between_reads(); }

 private:
  fs::path counter_file_;
  EnergyCounter counter_;
};

}  // namespace

std::vector<RaplZone> find_rapl_zones(const fs::path& sysfs) {
  std::vector<RaplZone> zones;
  std::map<std::string, std::string> names;       // of zones, by folder name
  std::map<std::string, std::string> interfaces;  // that showed a key first
  std::map<std::string, int> uses;                // of a key
  for (const fs::path& folder : zone_folders(sysfs)) {
    const std::string entry = folder.filename();
    const auto name = read_system_text(folder / "name").text;
    if (!name) continue;
    names[entry] = *name;
    const auto parent = names.find(parent_of(entry));
    std::string key = "rapl:" + (parent == names.end() ? *name : parent->second + "/" + *name);
    RaplRole role = role_of(*name);
    const std::string interface = interface_of(entry);
    const int use = ++uses[key];
    if (interfaces.emplace(key, interface).first->second != interface) role = RaplRole::kDuplicate;
    if (use > 1) key += cat("#", use);
    const SystemNumber range = read_system_number(folder / "max_energy_range_uj");
    const SystemNumber energy = read_system_number(folder / "energy_uj");
    RaplZone zone{folder, key, role, range.value.value_or(0),
                  energy.value ? "" : explain(energy.failure, folder / "energy_uj")};
    if (zone.counted() && std::ranges::any_of(zones, [&](const RaplZone& earlier) {
          return earlier.role == role && is_same_counter(earlier, zone);
        })) {
      zone.role = RaplRole::kDuplicate;
    }
    zones.push_back(std::move(zone));
  }
  return zones;
}

std::unique_ptr<Meter> make_rapl_meter(const RaplZone& zone) {
  return std::make_unique<RaplMeter>(info_of(zone), zone.folder / "energy_uj",
                                     zone.range_microjoules);
}

namespace {

// Whether a counter has never counted. An update is due every few milliseconds.
bool stands_at_zero(const RaplZone& zone) {
  const auto is_zero = [&] { return read_system_number(zone.folder / "energy_uj").value == 0; };
  if (!is_zero()) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return is_zero();
}

// What the zones draw if they cannot be read: their part of what the models say of the node.
void add_stand_ins(std::vector<RaplZone>& zones, const SensorSearch& search) {
  for (const RaplRole role : {RaplRole::kPackage, RaplRole::kDram}) {
    const auto count = static_cast<double>(std::ranges::count(zones, role, &RaplZone::role));
    const double watts = role == RaplRole::kPackage
                             ? cpu_design_power(search.roots.procfs, search.config).watts
                             : memory_watts(search.roots.procfs);
    for (RaplZone& zone : zones) {
      if (zone.role == role) zone.stand_in_watts = watts / count;
    }
  }
}

}  // namespace

std::vector<FoundSensor> rapl_sensors(const SensorSearch& search) {
  std::vector<RaplZone> zones = find_rapl_zones(search.roots.sysfs);
  if (zones.empty()) {
    return {nothing_found(
        "rapl", cat("no zone under ", (search.roots.sysfs / "class" / "powercap").string(),
                    ": a virtual machine, or the kernel module intel_rapl_msr is not loaded"))};
  }
  add_stand_ins(zones, search);
  const bool usable = std::any_of(zones.begin(), zones.end(), [](const RaplZone& zone) {
    return zone.role == RaplRole::kPackage && zone.why_unreadable.empty();
  });
  std::vector<FoundSensor> sensors;
  for (const RaplZone& zone : zones) {
    FoundSensor sensor;
    sensor.info = info_of(zone);
    sensor.covers = {sensor.info.kind};
    sensor.owner = 0;
    sensor.why_unreadable = zone.why_unreadable;
    sensor.why_not_counted = why_not_counted(zone.role);
    if (sensor.why_not_counted.empty() && !usable) {
      sensor.why_not_counted = "no processor package can be read";
    }
    // Then the model of the memory takes its place.
    if (zone.role == RaplRole::kDram && stands_at_zero(zone)) {
      sensor.why_not_counted = "its counter stays at 0";
    }
    sensor.make = [zone] { return make_rapl_meter(zone); };
    sensors.push_back(std::move(sensor));
  }
  return sensors;
}

}  // namespace lmtrain
