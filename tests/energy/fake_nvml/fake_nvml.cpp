// Stands in for the driver's libnvidia-ml.so.1. The environment variable FAKE_NVML_GPUS names a
// file that is read again at every call. Each line of it is a GPU:
//   UUID NAME ENERGY_MILLIJOULES POWER_MILLIWATTS
//   [MIG_UUID [CLOCK_REASONS [LIMIT LEAST_LIMIT [RIGHT]]]]
// A value is "-" if the GPU does not support it, and "lost" if the GPU no longer answers. Limits
// are in milliwatts; setting one changes the file, unless the right is "refused".
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kNoPermission = 4;
constexpr int kNotFound = 6;
constexpr int kGpuIsLost = 15;
constexpr uintptr_t kMigOffset = 1000;  // handles of MIG instances

struct Gpu {
  std::string uuid, name, energy, power, mig, clock_reasons = "0", limit = "-", least = "-", right;
};

std::vector<Gpu> gpus() {
  std::vector<Gpu> all;
  std::ifstream file(std::getenv("FAKE_NVML_GPUS"));
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    Gpu gpu;
    words >> gpu.uuid >> gpu.name >> gpu.energy >> gpu.power;
    if (words >> gpu.mig) words >> gpu.clock_reasons;
    if (words >> gpu.limit) words >> gpu.least >> gpu.right;
    for (std::string* absent : {&gpu.limit, &gpu.least})
      if (absent->empty()) *absent = "-";
    if (gpu.clock_reasons.empty()) gpu.clock_reasons = "0";
    all.push_back(gpu);
  }
  return all;
}

void write(const std::vector<Gpu>& all) {
  std::ofstream file(std::getenv("FAKE_NVML_GPUS"), std::ios::trunc);
  for (const Gpu& gpu : all) {
    file << gpu.uuid << " " << gpu.name << " " << gpu.energy << " " << gpu.power << " " << gpu.mig
         << " " << gpu.clock_reasons << " " << gpu.limit << " " << gpu.least << " " << gpu.right
         << "\n";
  }
}

// A handle is 1 + the index, so that no handle is null.
size_t index_of(void* handle) { return reinterpret_cast<uintptr_t>(handle) - 1; }
void* handle_of(uintptr_t index) { return reinterpret_cast<void*>(index + 1); }

int copy_text(const std::string& text, char* to, unsigned int size) {
  std::strncpy(to, text.c_str(), size);
  return kSuccess;
}

template <class Number>
int copy_number(const std::string& text, Number* to) {
  if (text == "-") return kNotSupported;
  if (text == "lost") return kGpuIsLost;
  *to = static_cast<Number>(std::stoull(text));
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlInit_v2() { return kSuccess; }
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int result) {
  switch (result) {
    case kGpuIsLost:
      return "GPU is lost";
    case kNotSupported:
      return "Not Supported";
    case kNoPermission:
      return "Insufficient Permissions";
    default:
      return "Error";
  }
}
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = static_cast<unsigned int>(gpus().size());
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** handle) {
  *handle = handle_of(index);
  return index < gpus().size() ? kSuccess : kNotFound;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
  const std::vector<Gpu> all = gpus();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].uuid == uuid) *handle = handle_of(i);
    if (all[i].mig == uuid) *handle = handle_of(i + kMigOffset);
    if (all[i].uuid == uuid || all[i].mig == uuid) return kSuccess;
  }
  return kNotFound;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void* mig, void** gpu) {
  *gpu = handle_of(index_of(mig) - kMigOffset);
  return kSuccess;
}
int nvmlDeviceGetUUID(void* handle, char* uuid, unsigned int size) {
  return copy_text(gpus().at(index_of(handle)).uuid, uuid, size);
}
int nvmlDeviceGetName(void* handle, char* name, unsigned int size) {
  return copy_text(gpus().at(index_of(handle)).name, name, size);
}
int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* millijoules) {
  return copy_number(gpus().at(index_of(handle)).energy, millijoules);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* handle, unsigned long long* reasons) {
  return copy_number(gpus().at(index_of(handle)).clock_reasons, reasons);
}
int nvmlDeviceGetPowerManagementLimit(void* handle, unsigned int* milliwatts) {
  return copy_number(gpus().at(index_of(handle)).limit, milliwatts);
}
int nvmlDeviceGetPowerManagementLimitConstraints(void* handle, unsigned int* least,
                                                 unsigned int* most) {
  const Gpu gpu = gpus().at(index_of(handle));
  *most = 0;
  return copy_number(gpu.least, least);
}
int nvmlDeviceSetPowerManagementLimit(void* handle, unsigned int milliwatts) {
  std::vector<Gpu> all = gpus();
  Gpu& gpu = all.at(index_of(handle));
  if (gpu.limit == "-") return kNotSupported;
  if (gpu.right == "refused") return kNoPermission;
  if (milliwatts < std::stoul(gpu.least)) return kInvalidArgument;
  gpu.limit = std::to_string(milliwatts);
  write(all);
  return kSuccess;
}
int nvmlDeviceGetPowerUsage(void* handle, unsigned int* milliwatts) {
  return copy_number(gpus().at(index_of(handle)).power, milliwatts);
}

}  // extern "C"
