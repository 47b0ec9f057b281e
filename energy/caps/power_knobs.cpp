#include "energy/caps/power_knobs.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <sys/stat.h>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/gpu_selector.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kProcessors = "cpufreq:";
constexpr std::string_view kGpu = "nvml:";
constexpr const char* kHighestFrequency = "scaling_max_freq";

fs::path policies_of(const SensorRoots& roots) {
  return roots.sysfs / "devices" / "system" / "cpu" / "cpufreq";
}

bool is_policy(const std::string& name) {
  constexpr std::string_view kPrefix = "policy";
  return name.starts_with(kPrefix) && parse_whole_number(name.substr(kPrefix.size()));
}

std::string right_to_set_frequencies(const std::string& failure, const fs::path& policies) {
  if (failure.find("Permission denied") == std::string::npos) return failure;
  return cat(
      failure,
      "; only root may set it: an administrator grants it until the next boot with `sudo chmod a+w ",
      (policies / "policy*" / kHighestFrequency).string(), "`");
}

std::string right_to_set_power(const std::string& failure, const std::string& uuid) {
  return cat("the driver does not let this process set the GPU's power limit (", failure,
             "); root may: an administrator sets it with `nvidia-smi -i ", uuid,
             " -pl WATTS`, for instance in the prolog of a job");
}

}  // namespace

std::string FoundKnobs::text(double share) const {
  double most = 0;
  for (const PowerKnob& knob : knobs) {
    const double wanted = share * static_cast<double>(knob.setting);
    most = std::max({most, wanted, static_cast<double>(knob.lowest)});
  }
  const bool is_gpu = !knobs.empty() && knobs.front().key.starts_with(kGpu);
  return cat(with_commas(std::llround(most / 1000)), is_gpu ? " W" : " MHz");
}

double FoundKnobs::least_share() const {
  double least = 1.0;
  for (const PowerKnob& knob : knobs)
    least = std::min(least, static_cast<double>(knob.lowest) / static_cast<double>(knob.setting));
  return least;
}

FoundKnobs PowerKnobs::of_processors() const {
  const fs::path policies = policies_of(roots_);
  FoundKnobs found;
  for (const fs::path& folder : sorted_entries(policies)) {
    const std::string policy = folder.filename();
    if (!is_policy(policy)) continue;
    const SystemNumber highest = read_system_number(folder / kHighestFrequency);
    const SystemNumber lowest = read_system_number(folder / "cpuinfo_min_freq");
    const SystemNumber wanted_least = read_system_number(folder / "scaling_min_freq");
    found.why_not = highest.value ? lowest.failure : highest.failure;
    // Setting it to what it is shows whether it may be set.
    if (found.why_not.empty())
      found.why_not = right_to_set_frequencies(set_processors(policy, *highest.value), policies);
    if (!found.why_not.empty()) {
      found.knobs.clear();
      return found;
    }
    found.knobs.push_back({cat(kProcessors, policy), *highest.value,
                           std::max(*lowest.value, wanted_least.value.value_or(0))});
  }
  if (found.knobs.empty())
    found.why_not = cat("the system offers no frequencies to set (", policies.string(), ")");
  return found;
}

FoundKnobs PowerKnobs::of_gpu(const std::string& selector) {
  FoundKnobs found;
  if (selects_amd_gpu(selector)) {
    found.why_not = "power limits of AMD GPUs are not set";
    return found;
  }
  if (selector.starts_with("MIG-")) {
    found.why_not = cat(selector, " is a part of a GPU, whose power limit holds for all parts");
    return found;
  }
  Nvml* const driver = nvml();
  const Nvml::Device* const device = driver == nullptr ? nullptr : driver->find(selector);
  if (device == nullptr) {
    found.why_not = driver == nullptr ? opened_.failure : cat("the driver knows no GPU ", selector);
    return found;
  }
  const Nvml::Value limit = driver->power_limit_milliwatts(*device);
  const Nvml::Value lowest = driver->lowest_power_limit_milliwatts(*device);
  found.why_not = limit.value ? lowest.failure : limit.failure;
  if (!found.why_not.empty()) {
    found.why_not = cat(device->name, " has no power limit: ", found.why_not);
    return found;
  }
  const std::string refusal = driver->set_power_limit(*device, *limit.value);
  if (!refusal.empty()) {
    found.why_not = right_to_set_power(refusal, device->uuid);
    return found;
  }
  found.knobs.push_back({cat(kGpu, device->uuid), *limit.value, *lowest.value});
  return found;
}

std::string PowerKnobs::set(const std::string& key, uint64_t setting) {
  if (key.starts_with(kProcessors)) return set_processors(key.substr(kProcessors.size()), setting);
  if (key.starts_with(kGpu)) return set_gpu(key.substr(kGpu.size()), setting);
  return cat("\"", key, "\" names no setting");
}

bool PowerKnobs::is_open_to(uid_t user, const std::string& key) const {
  if (user == 0) return true;
  if (!key.starts_with(kProcessors)) return false;  // the driver lets root alone set a power limit
  const std::string policy = key.substr(kProcessors.size());
  struct stat status {};
  if (!is_policy(policy) ||
      stat((policies_of(roots_) / policy / kHighestFrequency).c_str(), &status) != 0) {
    return false;
  }
  const bool is_own = status.st_uid == user && (status.st_mode & S_IWUSR) != 0;
  return is_own || (status.st_mode & S_IWOTH) != 0;
}

Nvml* PowerKnobs::nvml() {
  if (!opened_.nvml) opened_ = Nvml::open(roots_.nvml_library);
  return opened_.nvml.get();
}

std::string PowerKnobs::set_gpu(const std::string& uuid, uint64_t milliwatts) {
  Nvml* const driver = nvml();
  if (driver == nullptr) return opened_.failure;
  const Nvml::Device* const device = driver->find(uuid);
  if (device == nullptr || device->uuid != uuid) return cat("the driver knows no GPU ", uuid);
  return driver->set_power_limit(*device, milliwatts);
}

std::string PowerKnobs::set_processors(const std::string& policy, uint64_t kilohertz) const {
  if (!is_policy(policy)) return cat("\"", policy, "\" names no policy of frequencies");
  return write_system_number(policies_of(roots_) / policy / kHighestFrequency, kilohertz);
}

std::vector<std::string> PowerKnobs::describe() {
  const auto line = [](const std::string& name, const FoundKnobs& found) {
    if (!found.why_not.empty()) return cat(name, ": cannot be set. ", found.why_not);
    return cat(name, ": ", found.text(1.0), ", may be set down to ",
               found.text(found.least_share()));
  };
  std::vector<std::string> lines = {line("cpufreq", of_processors())};
  if (nvml() == nullptr) return lines;
  for (const Nvml::Device& device : nvml()->devices())
    if (device.handle != nullptr)
      lines.push_back(line(cat(kGpu, device.uuid), of_gpu(device.uuid)));
  return lines;
}

}  // namespace lmtrain
