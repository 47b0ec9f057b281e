#include "energy/meters/meter.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

std::string_view quality_name(Quality quality) {
  return quality == Quality::kMeasured ? "measured" : "modelled";
}

std::string_view device_kind_name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kCpu:
      return "cpu";
    case DeviceKind::kMemory:
      return "memory";
    case DeviceKind::kGpu:
      return "gpu";
    case DeviceKind::kOther:
      break;
  }
  return "other";
}

Quality parse_quality(std::string_view name) {
  for (const Quality quality : {Quality::kMeasured, Quality::kModelled}) {
    if (name == quality_name(quality)) return quality;
  }
  throw DataError(cat("\"", name, "\" is not a quality of a reading (measured, modelled)"));
}

DeviceKind parse_device_kind(std::string_view name) {
  for (int i = 0; i < kNumDeviceKinds; ++i) {
    if (name == device_kind_name(static_cast<DeviceKind>(i))) return static_cast<DeviceKind>(i);
  }
  throw DataError(cat("\"", name, "\" is not a kind of device (cpu, memory, gpu, other)"));
}

}  // namespace lmtrain
