#include "energy/meters/power_model.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <sstream>

#include "base/cpu_ticks.h"
#include "base/machine_memory.h"
#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr double kMemoryWattsPerGb = 0.3725;
constexpr double kMemoryLowWattsPerGb = 5.0 / 64.0;
constexpr double kMemoryHighWattsPerGb = 5.0 / 8.0;

class CpuModelMeter : public Meter {
 public:
  CpuModelMeter(fs::path stat, CpuDesignPower design)
      : Meter({"model:cpu", cat("processors, modelled (", design.source, ")"), DeviceKind::kCpu,
               Quality::kModelled}),
        path_(std::move(stat)),
        stat_(path_),
        design_(std::move(design)) {}

  Reading read(double now) override {
    const std::optional<CpuTicks> ticks = parse_cpu_ticks(stat_.read());
    if (!ticks) return missing_reading(cat("no line of CPU times can be read in ", path_.string()));
    if (!last_) {
      last_ = ticks;
      time_ = now;
    }
    const double total = ticks->total - last_->total;
    const double busy = ticks->busy - last_->busy;
    // Between two ticks there is no new load: the last one stays.
    if (total > 0.0) load_ = std::clamp(busy / total, 0.0, 1.0);
    Reading reading = cpu_power_reading(design_, load_, now - time_);
    last_ = ticks;
    time_ = now;
    return reading;
  }

 private:
  fs::path path_;
  ProcFile stat_;
  CpuDesignPower design_;
  std::optional<CpuTicks> last_;
  double time_ = 0.0;
  double load_ = 0.0;
};

class MemoryModelMeter : public Meter {
 public:
  explicit MemoryModelMeter(const fs::path& procfs)
      : Meter({"model:memory", cat("memory, modelled (", shortest(kMemoryWattsPerGb), " W per GB)"),
               DeviceKind::kMemory, Quality::kModelled}),
        gigabytes_(static_cast<double>(node_memory_bytes(procfs)) * 1e-9) {}

  Reading read(double now) override {
    if (gigabytes_ == 0.0) return missing_reading("the size of the memory cannot be read");
    const double seconds = time_ ? now - *time_ : 0.0;
    time_ = now;
    const double gb_seconds = gigabytes_ * seconds;
    return {seconds, kMemoryWattsPerGb * gb_seconds, kMemoryLowWattsPerGb * gb_seconds,
            kMemoryHighWattsPerGb * gb_seconds, ""};
  }

 private:
  double gigabytes_;
  std::optional<double> time_;
};

FoundSensor model_sensor(std::string remarks, std::function<std::unique_ptr<Meter>()> make) {
  const std::unique_ptr<Meter> meter = make();
  FoundSensor sensor;
  sensor.info = meter->info();
  sensor.covers = {sensor.info.kind};
  sensor.owner = 0;
  sensor.why_unreadable = meter->read(0.0).missing;
  sensor.remarks = std::move(remarks);
  sensor.make = std::move(make);
  return sensor;
}

}  // namespace

Reading cpu_power_reading(const CpuDesignPower& design, double load, double seconds) {
  const double cubic = 0.1 + 0.9 * load * load * load;
  const double linear = 0.3 + 0.7 * load;
  return {seconds, design.watts * cubic * seconds, design.low * cubic * seconds,
          design.high * linear * seconds, ""};
}

std::unique_ptr<Meter> make_cpu_model_meter(const fs::path& procfs, const EnergyConfig& config) {
  return std::make_unique<CpuModelMeter>(procfs / "stat", cpu_design_power(procfs, config));
}

std::unique_ptr<Meter> make_memory_model_meter(const fs::path& procfs) {
  return std::make_unique<MemoryModelMeter>(procfs);
}

double memory_watts(const fs::path& procfs) {
  return kMemoryWattsPerGb * 1e-9 * static_cast<double>(node_memory_bytes(procfs));
}

int64_t node_memory_bytes(const fs::path& procfs) {
  const std::string meminfo = read_system_text(procfs / "meminfo").text.value_or("");
  return meminfo_bytes(meminfo, "MemTotal").value_or(0);
}

std::vector<FoundSensor> model_sensors(const SensorSearch& search) {
  const fs::path procfs = search.roots.procfs;
  const CpuDesignPower design = cpu_design_power(procfs, search.config);
  const double gigabytes = static_cast<double>(node_memory_bytes(procfs)) * 1e-9;
  FoundSensor cpu =
      model_sensor(cat("modelled from the load; ", fixed(design.watts, 1), " W at full load (",
                       design.source, "); energy.cpu_tdp_watts sets it"),
                   [=] { return std::make_unique<CpuModelMeter>(procfs / "stat", design); });
  cpu.doubt = design.doubt;
  return {std::move(cpu), model_sensor(cat("modelled from the size, ", fixed(gigabytes, 1), " GB"),
                                       [=] { return make_memory_model_meter(procfs); })};
}

}  // namespace lmtrain
