// Energy of NVIDIA GPUs through NVML, the library of the driver, loaded when the program runs so
// that neither the build nor a machine without a GPU needs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "energy/meter.h"

namespace lmtrain {

struct NvmlFunctions;  // the entry points in use

class Nvml {
 public:
  struct Device {
    void* handle;
    std::string uuid;  // "GPU-..."
    std::string name;  // "NVIDIA H100 80GB HBM3"
  };
  struct Opened {
    std::shared_ptr<Nvml> nvml;  // null when it cannot be used
    std::string failure;         // why
  };
  // Loads and initialises `library` (a name for the loader, or a path).
  static Opened open(const std::string& library);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  const std::vector<Device>& devices() const { return devices_; }

  // The whole GPU that `selector` names: an index in NVML's order (that of the PCI bus), a UUID or
  // the unique start of one, or a MIG instance's UUID, which gives the GPU that it is a part of.
  // Null when there is none.
  const Device* find(const std::string& selector) const;

  struct Value {
    std::optional<uint64_t> value;
    std::string failure;
  };
  // Since the driver was loaded, in mJ. From Volta on.
  Value total_energy_millijoules(const Device& device) const;
  // In mW: the last second's mean on most GPUs from Ampere on, the present one on others.
  Value power_milliwatts(const Device& device) const;

 private:
  Nvml(void* library, std::unique_ptr<NvmlFunctions> functions);
  std::string start();  // "" or why not

  void* library_;
  std::unique_ptr<NvmlFunctions> functions_;
  bool started_ = false;
  std::vector<Device> devices_;
};

// Meters the whole GPU: by its energy counter, or by integrating its power where it has none.
std::unique_ptr<Meter> make_nvml_meter(std::shared_ptr<Nvml> nvml, const Nvml::Device& device);

}  // namespace lmtrain
