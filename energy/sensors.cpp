#include "energy/sensors.h"

#include <algorithm>

#include "base/text.h"
#include "energy/hwmon.h"
#include "energy/nvml.h"
#include "energy/power_model.h"
#include "energy/rapl.h"

namespace lmtrain {
namespace {

using Meters = std::vector<std::unique_ptr<Meter>>;

// Stands for a sensor that should be there: its energy is missing, not zero.
class AbsentMeter : public Meter {
 public:
  AbsentMeter(MeterInfo info, std::string reason)
      : Meter(std::move(info)), reason_(std::move(reason)) {}

  Reading read(double) override { return missing_reading(reason_); }

 private:
  std::string reason_;
};

bool has_kind(const Meters& meters, DeviceKind kind) {
  return std::any_of(meters.begin(), meters.end(),
                     [&](const auto& meter) { return meter->info().kind == kind; });
}

// The zones of RAPL, unless no package can be read: then there are none.
void add_rapl(Meters& meters, const SensorRoots& roots) {
  const std::vector<RaplZone> zones = find_rapl_zones(roots.sysfs);
  const bool usable = std::any_of(zones.begin(), zones.end(), [](const RaplZone& zone) {
    return zone.role == RaplRole::kPackage && zone.why_unreadable.empty();
  });
  for (const RaplZone& zone : zones) {
    if (usable && zone.counted()) meters.push_back(make_rapl_meter(zone));
  }
}

void add_hwmon(Meters& meters, const SensorRoots& roots) {
  for (const HwmonSensor& sensor : find_hwmon_sensors(roots.sysfs)) {
    if (sensor.counted() && sensor.why_unreadable.empty()) {
      meters.push_back(make_hwmon_meter(sensor));
    }
  }
}

void add_node_meters(Meters& meters, const SensorRoots& roots, const EnergyConfig& config) {
  add_rapl(meters, roots);
  if (!has_kind(meters, DeviceKind::kCpu)) add_hwmon(meters, roots);
  if (!has_kind(meters, DeviceKind::kCpu)) {
    meters.push_back(make_cpu_model_meter(roots.procfs, config));
  }
  if (!has_kind(meters, DeviceKind::kMemory)) {
    meters.push_back(make_memory_model_meter(roots.procfs));
  }
}

// The GPUs that each local rank owns, resolved to UUIDs so that two names of one GPU are one.
class GpuOwners {
 public:
  GpuOwners(const SensorRoots& roots, const std::vector<std::string>& gpu_of_local_rank)
      : selectors_(gpu_of_local_rank) {
    const bool any = std::any_of(selectors_.begin(), selectors_.end(),
                                 [](const std::string& gpu) { return !gpu.empty(); });
    if (any) opened_ = Nvml::open(roots.nvml_library);
  }

  // A superchip's counter covers its processor and memory as well.
  bool cover_processors() const {
    return std::any_of(selectors_.begin(), selectors_.end(), [&](const std::string& selector) {
      const Nvml::Device* device = find(selector);
      return device != nullptr && device->name.find("GH200") != std::string::npos;
    });
  }

  void add_meter_of(size_t local_rank, Meters& meters) const {
    const std::string& selector = selectors_.at(local_rank);
    if (selector.empty()) return;
    for (size_t rank = 0; rank < local_rank; ++rank) {
      if (key_of(selectors_[rank]) == key_of(selector)) return;
    }
    if (const Nvml::Device* device = find(selector)) {
      meters.push_back(make_nvml_meter(opened_.nvml, *device));
      return;
    }
    const std::string why =
        opened_.nvml ? cat("the driver knows no GPU ", selector) : opened_.failure;
    meters.push_back(std::make_unique<AbsentMeter>(
        MeterInfo{key_of(selector), cat("GPU ", selector), DeviceKind::kGpu, Quality::kMeasured},
        why));
  }

 private:
  const Nvml::Device* find(const std::string& selector) const {
    return opened_.nvml && !selector.empty() ? opened_.nvml->find(selector) : nullptr;
  }
  std::string key_of(const std::string& selector) const {
    const Nvml::Device* device = find(selector);
    return "nvml:" + (device == nullptr ? selector : device->uuid);
  }

  const std::vector<std::string>& selectors_;
  Nvml::Opened opened_;
};

}  // namespace

Meters choose_sensors(const SensorRoots& roots, const EnergyConfig& config, int local_rank,
                      const std::vector<std::string>& gpu_of_local_rank) {
  Meters meters;
  const GpuOwners gpus(roots, gpu_of_local_rank);
  if (local_rank == 0 && !gpus.cover_processors()) add_node_meters(meters, roots, config);
  gpus.add_meter_of(static_cast<size_t>(local_rank), meters);
  return meters;
}

}  // namespace lmtrain
