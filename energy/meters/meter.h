// A meter reads one sensor. Exactly one rank of the node has a meter of a given sensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

namespace lmtrain {

enum class Quality { kMeasured, kModelled };
enum class DeviceKind { kCpu, kMemory, kGpu, kOther };
inline constexpr int kNumDeviceKinds = 4;

std::string_view quality_name(Quality quality);      // "measured", "modelled"
std::string_view device_kind_name(DeviceKind kind);  // "cpu", "memory", "gpu", "other"
// The inverses. They throw DataError for any other name.
Quality parse_quality(std::string_view name);
DeviceKind parse_device_kind(std::string_view name);

// Where the operating system and NVIDIA's driver show their sensors. Tests put fake trees here.
struct SensorRoots {
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path procfs = "/proc";
  std::string nvml_library = "libnvidia-ml.so.1";
};

struct MeterInfo {
  std::string key;    // unique on its host: "rapl:package-0", "nvml:GPU-...", "model:cpu"
  std::string label;  // for people: "CPU package 0 (RAPL)"
  DeviceKind kind = DeviceKind::kOther;
  Quality quality = Quality::kMeasured;
  // About what the device draws at work, in W. It stands in for a sensor that is never read; 0
  // where that is not known.
  double stand_in_watts = 0.0;
};

// The energy since the last reading that succeeded, or the reason why it is missing. A missing
// reading is a gap, never a zero. Energies are never negative.
struct Reading {
  double seconds = 0.0;  // the time in which the energy was spent
  double joules = 0.0;
  double low = 0.0;  // the true value lies between low and high, if the stated errors are right
  double high = 0.0;
  std::string missing;     // why the reading is missing; "" for a good one
  std::string doubt = "";  // what makes it less trustworthy than its source is; "" for nothing

  bool is_missing() const { return !missing.empty(); }
};

inline Reading missing_reading(std::string reason) {
  Reading reading;
  reading.missing = std::move(reason);
  return reading;
}
inline Reading reading_within(double seconds, double joules, double relative_error) {
  return {seconds, joules, joules * (1.0 - relative_error), joules * (1.0 + relative_error), ""};
}

class Meter {
 public:
  explicit Meter(MeterInfo info) : info_(std::move(info)) {}
  virtual ~Meter() = default;
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  const MeterInfo& info() const { return info_; }

  // `now` is the monotonic clock in seconds. The first reading that succeeds starts the count: it
  // has 0 J in 0 s.
  virtual Reading read(double now) = 0;

  // What holds the clocks of the device down now (energy/meters/clock_limits.h); 0 for nothing, or
  // where nothing tells.
  virtual uint64_t clock_limits() const { return 0; }

  // Readings that are further apart than this are ambiguous, since the counter may wrap in between.
  virtual double max_seconds_between_reads() const {
    return std::numeric_limits<double>::infinity();
  }

 private:
  MeterInfo info_;
};

}  // namespace lmtrain
