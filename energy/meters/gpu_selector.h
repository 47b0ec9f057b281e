// How a rank says which GPU it uses. A selector of an NVIDIA GPU is what CUDA_VISIBLE_DEVICES may
// hold: an index, a UUID ("GPU-...") or the UUID of a MIG instance. A selector of an AMD GPU is
// "amd:" and then an index in the order of PCI addresses, a PCI address ("amd:0000:c1:00.0") or a
// UUID ("amd:GPU-" and 16 hexadecimal digits).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lmtrain {

inline constexpr std::string_view kAmdSelector = "amd:";
inline bool selects_amd_gpu(std::string_view selector) {
  return selector.starts_with(kAmdSelector);
}

// What CUDA's device `index` of this process is called in CUDA_VISIBLE_DEVICES, whose value is
// `visible_devices` if it is set. Returns "" when there is no such device. Indices follow NVML's
// order only under CUDA_DEVICE_ORDER=PCI_BUS_ID or on nodes of equal GPUs: prefer the UUID that the
// CUDA runtime gives where it is known.
std::string gpu_selector(const std::optional<std::string>& visible_devices, int index);

// The same for HIP's device `index`. HIP_VISIBLE_DEVICES picks among the devices that
// ROCR_VISIBLE_DEVICES leaves; both count the dies of the node in the order of PCI addresses, in
// which ROCm lists them. Prefer the PCI address that the HIP runtime gives where it is known.
std::string amd_gpu_selector(const std::optional<std::string>& rocr_visible_devices,
                             const std::optional<std::string>& hip_visible_devices, int index);

}  // namespace lmtrain
