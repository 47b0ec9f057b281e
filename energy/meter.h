// What a meter is: one sensor whose energy is counted by exactly one rank of its node.
#pragma once

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
// The inverses. Throw DataError for any other name.
Quality parse_quality(std::string_view name);
DeviceKind parse_device_kind(std::string_view name);

// Where the operating system and the driver show their sensors. Tests put fake trees here.
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
};

// Energy since the last reading that succeeded, or why there is none. A reading that is missing has
// no joules: it is a gap, never a zero. An energy is never negative.
struct Reading {
  double seconds = 0.0;  // the time that the energy was spent in
  double joules = 0.0;
  double low = 0.0;  // between low and high lies the true value, as far as the source tells
  double high = 0.0;
  std::string missing;  // why there is no energy; "" for a good reading

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

  // `now` is monotonic seconds. The first reading that succeeds only starts the count: 0 J in 0 s.
  virtual Reading read(double now) = 0;

  // Readings further apart than this are ambiguous (the counter may wrap in between).
  virtual double max_seconds_between_reads() const {
    return std::numeric_limits<double>::infinity();
  }

 private:
  MeterInfo info_;
};

}  // namespace lmtrain
