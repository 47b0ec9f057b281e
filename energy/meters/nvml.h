// Energy of NVIDIA GPUs through NVML, the driver's library. It is loaded at run time, so that
// neither the build nor a machine without a GPU needs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "energy/meters/meter.h"

namespace lmtrain {

struct NvmlFunctions;  // the functions of the library that are used

class Nvml {
 public:
  struct Device {
    void* handle;      // null for a GPU of the node that this job may not use
    std::string uuid;  // "GPU-..."
    std::string name;  // "NVIDIA H100 80GB HBM3"
  };
  struct Opened {
    std::shared_ptr<Nvml> nvml;  // null when it cannot be used
    std::string failure;         // why it cannot be used
  };
  // Loads and initialises `library` (a name for the loader, or a path).
  static Opened open(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  const std::vector<Device>& devices() const { return devices_; }

  // The whole GPU that `selector` names, or null. A selector is an index in NVML's order (that of
  // the PCI bus), a UUID or the unique start of one, or the UUID of a MIG instance, which names the
  // GPU that it is a part of.
  const Device* find(const std::string& selector) const;

  struct Value {
    std::optional<uint64_t> value;
    std::string failure;
  };
  // Energy since the driver was loaded, in mJ. GPUs before Volta do not have it.
  Value total_energy_millijoules(const Device& device) const;
  // Power in mW: the mean of the last second on most GPUs from Ampere on, else the present power.
  Value power_milliwatts(const Device& device) const;
  // The most that the GPU may draw, as it is set now, and the least that it may be set to; in mW.
  Value power_limit_milliwatts(const Device& device) const;
  Value lowest_power_limit_milliwatts(const Device& device) const;
  // Returns why it failed, or "". The driver lets root alone do it.
  std::string set_power_limit(const Device& device, uint64_t milliwatts) const;
  // Bits of energy/meters/clock_limits.h. Drivers before 2016 do not tell.
  Value clock_limits(const Device& device) const;

 private:
  Nvml(void* library, std::unique_ptr<NvmlFunctions> functions);
  std::string start();  // returns why it failed, or ""

  void* library_;
  std::unique_ptr<NvmlFunctions> functions_;
  bool started_ = false;
  std::vector<Device> devices_;
};

// Meters the whole GPU by its energy counter, or by integrating its power if it has no counter.
std::unique_ptr<Meter> make_nvml_meter(std::shared_ptr<Nvml> nvml, const Nvml::Device& device);

}  // namespace lmtrain
