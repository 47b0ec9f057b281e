#include "energy/doctor.h"

#include <algorithm>

#include "base/text.h"
#include "energy/hwmon.h"
#include "energy/nvml.h"
#include "energy/power_model.h"
#include "energy/rapl.h"
#include "energy/sensors.h"

namespace lmtrain {
namespace {

using Descriptions = std::vector<SensorDescription>;

std::string rapl_remark(RaplRole role) {
  switch (role) {
    case RaplRole::kPackage:
    case RaplRole::kDram:
      return "";
    case RaplRole::kPart:
      return "a part of its package, which is counted";
    case RaplRole::kPlatform:
      return "contains the packages, which are counted";
    case RaplRole::kDuplicate:
      break;
  }
  return "shows a zone again that is counted already";
}

void describe_rapl(Descriptions& all, const SensorRoots& roots) {
  const std::vector<RaplZone> zones = find_rapl_zones(roots.sysfs);
  for (const RaplZone& zone : zones) {
    const bool readable = zone.why_unreadable.empty();
    all.push_back({zone.key, readable, zone.counted() && readable,
                   readable ? rapl_remark(zone.role) : zone.why_unreadable});
  }
  if (zones.empty()) {
    all.push_back({"rapl", false, false,
                   cat("no zone under ", (roots.sysfs / "class" / "powercap").string(),
                       ": a virtual machine, or the kernel module intel_rapl_msr is not loaded")});
  }
}

void describe_hwmon(Descriptions& all, const SensorRoots& roots,
                    const std::vector<std::string>& counted) {
  for (const HwmonSensor& sensor : find_hwmon_sensors(roots.sysfs)) {
    const bool readable = sensor.why_unreadable.empty();
    const bool used = std::find(counted.begin(), counted.end(), sensor.key) != counted.end();
    std::string remarks = readable ? sensor.why_not_counted : sensor.why_unreadable;
    if (readable && sensor.counted() && !used) remarks = "another sensor covers the processors";
    all.push_back({sensor.key, readable, used, remarks});
  }
}

void describe_nvml(Descriptions& all, const SensorRoots& roots) {
  const Nvml::Opened opened = Nvml::open(roots.nvml_library);
  if (!opened.nvml) {
    all.push_back({"nvml", false, false, opened.failure});
    return;
  }
  for (const Nvml::Device& device : opened.nvml->devices()) {
    const std::string name = cat("nvml:", device.uuid);
    if (device.handle == nullptr) {
      all.push_back({name, false, false, "this job may not use it"});
      continue;
    }
    const Nvml::Value energy = opened.nvml->total_energy_millijoules(device);
    const Nvml::Value power = opened.nvml->power_milliwatts(device);
    const bool readable = energy.value || power.value;
    std::string remarks = cat(device.name, energy.value ? "" : ", power only");
    if (!readable) remarks = cat(device.name, ": ", power.failure);
    all.push_back({name, readable, readable, remarks});
  }
}

// What the node's own rank would meter without GPUs.
std::vector<MeterInfo> counted_on_node(const SensorRoots& roots, const EnergyConfig& config) {
  std::vector<MeterInfo> counted;
  for (const auto& meter : choose_sensors(roots, config, 0, {""})) counted.push_back(meter->info());
  return counted;
}

void describe_models(Descriptions& all, const SensorRoots& roots, const EnergyConfig& config,
                     const std::vector<std::string>& counted) {
  const auto used = [&](const char* key) {
    return std::find(counted.begin(), counted.end(), key) != counted.end();
  };
  const CpuDesignPower cpu = cpu_design_power(roots.procfs, config);
  all.push_back({"model:cpu", !make_cpu_model_meter(roots.procfs, config)->read(0.0).is_missing(),
                 used("model:cpu"),
                 cat("from the load; ", fixed(cpu.watts, 1), " W at full load (", cpu.source,
                     "); energy.cpu_tdp_watts sets it")});
  const double gigabytes = static_cast<double>(node_memory_bytes(roots.procfs)) * 1e-9;
  all.push_back({"model:memory", gigabytes > 0.0, used("model:memory"),
                 cat("from the size, ", fixed(gigabytes, 1), " GB")});
}

}  // namespace

Descriptions describe_sensors(const SensorRoots& roots, const EnergyConfig& config) {
  std::vector<std::string> counted;
  for (const MeterInfo& info : counted_on_node(roots, config)) counted.push_back(info.key);
  Descriptions all;
  describe_rapl(all, roots);
  describe_hwmon(all, roots, counted);
  describe_nvml(all, roots);
  describe_models(all, roots, config, counted);
  return all;
}

}  // namespace lmtrain
