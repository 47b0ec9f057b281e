// Why the clocks of a GPU are lower than they could be, as the driver tells.
#pragma once

#include <cstdint>
#include <string>

namespace lmtrain {

// The reasons among NVML's bits (nvmlClocksEventReasons in its reference manual) that hold a GPU at
// work down; it also has bits for a GPU that idles and for clocks that somebody has set.
inline constexpr uint64_t kPowerCap = 0x04;
inline constexpr uint64_t kHardwareSlowdown = 0x08;  // heat, or power brake, or other alarm
inline constexpr uint64_t kHeat = 0x20 | 0x40;
inline constexpr uint64_t kPowerBrake = 0x80;
inline constexpr uint64_t kClockLimits = kPowerCap | kHardwareSlowdown | kHeat | kPowerBrake;

// "heat, power cap": those of the reasons that hold a GPU down; "" for none.
inline std::string clock_limits_text(uint64_t reasons) {
  std::string text;
  const auto add = [&](uint64_t bits, const char* name) {
    if ((reasons & bits) != 0) text += text.empty() ? name : std::string(", ") + name;
  };
  add(kHeat, "heat");
  add(kPowerBrake, "power brake");
  add(kHardwareSlowdown, "hardware slowdown");
  add(kPowerCap, "power cap");
  return text;
}

}  // namespace lmtrain
