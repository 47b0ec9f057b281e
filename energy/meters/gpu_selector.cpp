#include "energy/meters/gpu_selector.h"

#include <sstream>

#include "base/system_file.h"
#include "base/text.h"

namespace lmtrain {

std::string gpu_selector(const std::optional<std::string>& visible_devices, int index) {
  if (index < 0) return "";
  if (!visible_devices) return std::to_string(index);
  std::istringstream list(*visible_devices);
  std::string entry;
  // CUDA ignores everything from the first entry on that names no device.
  for (int i = 0; std::getline(list, entry, ',') && !entry.empty() && entry != "-1"; ++i) {
    if (i == index) return entry;
  }
  return "";
}

std::string amd_gpu_selector(const std::optional<std::string>& rocr_visible_devices,
                             const std::optional<std::string>& hip_visible_devices, int index) {
  std::string entry = gpu_selector(hip_visible_devices, index);
  if (const auto place = parse_whole_number(entry)) {
    entry = gpu_selector(rocr_visible_devices, static_cast<int>(*place));
  }
  return entry.empty() ? "" : cat(kAmdSelector, entry);
}

}  // namespace lmtrain
