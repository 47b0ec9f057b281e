// NVIDIA GPUs as a source of sensors.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "energy/energy_range.h"
#include "energy/meters/counter.h"
#include "energy/meters/gpu_selector.h"
#include "energy/meters/nvml.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

// More than any single GPU or superchip draws.
constexpr double kMaxWatts = 3000.0;
// From comparisons with wall meters: Yang et al., "Part-time power measurements" (arXiv
// 2312.02741).
constexpr double kEnergyError = 0.05;
constexpr double kPowerError = 0.10;

// Modules whose counter contains the processor and its memory too.
constexpr std::array<std::string_view, 1> kSuperchips = {"GH200"};

bool is_superchip(const std::string& name) {
  return std::any_of(kSuperchips.begin(), kSuperchips.end(), [&](std::string_view superchip) {
    return name.find(superchip) != std::string::npos;
  });
}

MeterInfo info_of(const Nvml::Device& device) {
  return {"nvml:" + device.uuid, device.name, DeviceKind::kGpu, Quality::kMeasured};
}

// Compares the energy counter of a GPU with its power over time. The counter counts as long as both
// agree. Where they do not, nothing tells which of them is right: the larger counts, so that a
// fault never makes a run look cheaper, and the interval holds both.
class CounterBesidePower {
 public:
  // The energy of one span of time, by both.
  Reading add(const Reading& by_counter, const Reading& by_power) {
    seconds_ += by_counter.seconds;
    counter_.add(by_counter.joules, by_counter.low, by_counter.high);
    power_.add(by_power.joules, by_power.low, by_power.high);
    const double larger = std::max(counter_.joules, power_.joules);
    const bool differ = std::abs(counter_.joules - power_.joules) > kMaxDifference * larger;
    if (seconds_ >= kMinSeconds && differ) doubted_ = true;
    EnergyRange all = counter_;
    if (doubted_) {
      all = {larger, std::min(counter_.low, power_.low), std::max(counter_.high, power_.high)};
    }
    // What the earlier readings have told is taken off, also where it was too much.
    Reading reading{by_counter.seconds, std::max(0.0, all.joules - told_.joules),
                    all.low - told_.low, all.high - told_.high, ""};
    told_.add(reading.joules, reading.low, reading.high);
    if (doubted_) {
      reading.doubt = cat("its energy counter tells ", fixed(counter_.joules / seconds_, 1),
                          " W and its power ", fixed(power_.joules / seconds_, 1),
                          " W; the larger counts, and the interval holds both");
    }
    return reading;
  }

 private:
  static constexpr double kMinSeconds = 10.0;
  static constexpr double kMaxDifference = 0.25;

  double seconds_ = 0.0;
  EnergyRange counter_;
  EnergyRange power_;
  EnergyRange told_;
  bool doubted_ = false;
};

class NvmlMeter : public Meter {
 public:
  NvmlMeter(std::shared_ptr<Nvml> nvml, Nvml::Device device, bool has_counter)
      : Meter(info_of(device)),
        nvml_(std::move(nvml)),
        device_(std::move(device)),
        has_counter_(has_counter),
        counter_({0, kMaxWatts, kEnergyError}),
        integral_(kPowerError) {}

  Reading read(double now) override {
    const Reading by_power = read_power(now);
    if (!has_counter_) return by_power;
    const Nvml::Value value = nvml_->total_energy_millijoules(device_);
    if (!value.value) {
      open_ = {};
      return missing_reading(value.failure);
    }
    const Reading by_counter = counter_.advance(now, *value.value * 1000);
    if (by_power.is_missing()) {
      open_ = {};
      return by_counter;
    }
    open_ = {open_.seconds + by_power.seconds, open_.joules + by_power.joules,
             open_.low + by_power.low, open_.high + by_power.high, ""};
    const bool is_between_updates = !by_counter.is_missing() && by_counter.seconds == 0.0;
    if (is_between_updates) return by_counter;
    const Reading since_news = std::exchange(open_, {});
    if (!counter_.stands_still(now))
      return by_counter.is_missing() ? by_counter : beside_.add(by_counter, since_news);
    Reading instead = since_news;
    instead.doubt = "its energy counter stands still; its power was integrated instead";
    return instead;
  }

  uint64_t clock_limits() const override { return nvml_->clock_limits(device_).value.value_or(0); }

 private:
  Reading read_power(double now) {
    const Nvml::Value power = nvml_->power_milliwatts(device_);
    if (power.value) return integral_.advance(now, static_cast<double>(*power.value) * 1e-3);
    integral_.interrupt();
    return missing_reading(power.failure);
  }

  std::shared_ptr<Nvml> nvml_;
  Nvml::Device device_;
  bool has_counter_;
  EnergyCounter counter_;
  PowerIntegral integral_;
  CounterBesidePower beside_;
  Reading open_;  // by power, since the counter last brought news
};

// Says whether the GPU can be read, and by what.
void describe(FoundSensor& sensor, const Nvml& nvml, const Nvml::Device& device) {
  if (nvml.total_energy_millijoules(device).value) {
    sensor.remarks = device.name;
    return;
  }
  const Nvml::Value power = nvml.power_milliwatts(device);
  if (power.value) {
    sensor.remarks = cat(device.name, ", power only");
  } else {
    sensor.why_unreadable = cat(device.name, ": ", power.failure);
  }
}

FoundSensor sensor_of(const std::shared_ptr<Nvml>& nvml, const Nvml::Device& device) {
  FoundSensor sensor;
  sensor.info = info_of(device);
  if (device.handle == nullptr) {
    sensor.why_unreadable = "this job may not use it";
    return sensor;
  }
  if (is_superchip(device.name)) sensor.covers = {DeviceKind::kCpu, DeviceKind::kMemory};
  describe(sensor, *nvml, device);
  sensor.make = [nvml, device] { return make_nvml_meter(nvml, device); };
  return sensor;
}

std::vector<FoundSensor> known_gpus(const std::shared_ptr<Nvml>& nvml, const SensorSearch& search) {
  std::vector<FoundSensor> sensors;
  for (const Nvml::Device& device : nvml->devices()) {
    FoundSensor sensor = sensor_of(nvml, device);
    sensor.owner = first_user(search.gpu_of_local_rank, [&](const std::string& selector) {
      return !selects_amd_gpu(selector) && nvml->find(selector) == &device;
    });
    if (sensor.owner || search.list_unused_gpus) sensors.push_back(std::move(sensor));
  }
  return sensors;
}

}  // namespace

std::unique_ptr<Meter> make_nvml_meter(std::shared_ptr<Nvml> nvml, const Nvml::Device& device) {
  const bool has_counter = nvml->total_energy_millijoules(device).value.has_value();
  return std::make_unique<NvmlMeter>(std::move(nvml), device, has_counter);
}

std::vector<FoundSensor> nvml_sensors(const SensorSearch& search) {
  const auto is_nvidia = [](const std::string& gpu) { return !selects_amd_gpu(gpu); };
  // Starting the driver's library takes seconds on some nodes: a job without GPUs does not do it.
  if (!search.list_unused_gpus && !first_user(search.gpu_of_local_rank, is_nvidia)) return {};
  const Nvml::Opened opened = Nvml::open(search.roots.nvml_library);
  std::vector<FoundSensor> sensors;
  if (opened.nvml) {
    sensors = known_gpus(opened.nvml, search);
  } else if (search.list_unused_gpus) {
    sensors.push_back(nothing_found("nvml", opened.failure));
  }
  add_unknown_gpus(sensors, search, "nvml", [&](const std::string& selector) {
    if (!is_nvidia(selector)) return std::string();
    if (!opened.nvml) return opened.failure;
    return opened.nvml->find(selector) ? "" : cat("the driver knows no GPU ", selector);
  });
  return sensors;
}

}  // namespace lmtrain
