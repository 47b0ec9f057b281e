// Settings of a node that bound what its devices draw: the power limit of an NVIDIA GPU, and the
// highest frequency of the processors (cpufreq).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "energy/meters/meter.h"
#include "energy/meters/nvml.h"

namespace lmtrain {

// One such setting, in mW for a GPU and in kHz for processors.
struct PowerKnob {
  std::string key;       // "nvml:GPU-..." or "cpufreq:policy0"
  uint64_t setting = 0;  // as it is now
  uint64_t lowest = 0;   // that it may be set to
};

// The knobs of a device.
struct FoundKnobs {
  std::vector<PowerKnob> knobs;  // this process may set all of them
  std::string why_not;           // why there are none, and the right that is missing; else ""

  // "350 W" or "2,400 MHz": the largest at so much of the settings.
  std::string text(double share) const;
  // The smallest share that makes a difference.
  double least_share() const;
};

class PowerKnobs {
 public:
  explicit PowerKnobs(SensorRoots roots) : roots_(std::move(roots)) {}

  // All processors of the node.
  FoundKnobs of_processors() const;
  // The GPU of a rank, by its selector (energy/meters/gpu_selector.h).
  FoundKnobs of_gpu(const std::string& selector);

  // Returns why it failed, or "". A key that is not in the form of PowerKnob::key fails.
  std::string set(const std::string& key, uint64_t setting);
  // Whether this user may set it, so that root may do so in the user's name.
  bool is_open_to(uid_t user, const std::string& key) const;

  // What `lmtrain doctor` says: a line for the processors and one for each GPU of this node.
  std::vector<std::string> describe();

 private:
  Nvml* nvml();
  std::string set_gpu(const std::string& uuid, uint64_t milliwatts);
  std::string set_processors(const std::string& policy, uint64_t kilohertz) const;

  SensorRoots roots_;
  Nvml::Opened opened_;  // at the first GPU
};

}  // namespace lmtrain
