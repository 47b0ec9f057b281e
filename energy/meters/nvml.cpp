#include "energy/meters/nvml.h"

#include <array>

#include <dlfcn.h>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/clock_limits.h"

namespace lmtrain {

// Declared as in NVML's reference manual, because only the CUDA toolkit brings its header.
struct NvmlFunctions {
  using Result = int;
  using Handle = void*;
  Result (*init)();
  Result (*shutdown)();
  const char* (*error_string)(Result);
  Result (*device_count)(unsigned int*);
  Result (*handle_by_index)(unsigned int, Handle*);
  Result (*handle_by_uuid)(const char*, Handle*);
  Result (*uuid)(Handle, char*, unsigned int);
  Result (*name)(Handle, char*, unsigned int);
  Result (*total_energy)(Handle, unsigned long long*);
  Result (*power_usage)(Handle, unsigned int*);
  Result (*gpu_of_mig)(Handle, Handle*);
  // Null where the driver is old.
  Result (*clock_reasons)(Handle, unsigned long long*);
  Result (*power_limit)(Handle, unsigned int*);
  Result (*power_limits)(Handle, unsigned int*, unsigned int*);  // the least and the most
  Result (*set_power_limit)(Handle, unsigned int);
};

namespace {

constexpr int kSuccess = 0;
constexpr unsigned int kTextSize = 96;
constexpr const char* kOldDriver = "the driver is too old";

// Null where the library lacks it.
template <class Function>
void find_optional(void* library, Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

Nvml::Value value_of(const NvmlFunctions& nvml, int result, uint64_t value) {
  if (result != kSuccess) return {std::nullopt, nvml.error_string(result)};
  return {value, ""};
}

// Looks up every function. Returns the name of one that is absent, or "".
std::string load(void* library, NvmlFunctions& functions) {
  std::string absent;
  const auto find = [&](auto& function, const char* name) {
    void* symbol = dlsym(library, name);
    if (symbol == nullptr) absent = name;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
  };
  find(functions.init, "nvmlInit_v2");
  find(functions.shutdown, "nvmlShutdown");
  find(functions.error_string, "nvmlErrorString");
  find(functions.device_count, "nvmlDeviceGetCount_v2");
  find(functions.handle_by_index, "nvmlDeviceGetHandleByIndex_v2");
  find(functions.handle_by_uuid, "nvmlDeviceGetHandleByUUID");
  find(functions.uuid, "nvmlDeviceGetUUID");
  find(functions.name, "nvmlDeviceGetName");
  find(functions.total_energy, "nvmlDeviceGetTotalEnergyConsumption");
  find(functions.power_usage, "nvmlDeviceGetPowerUsage");
  find(functions.gpu_of_mig, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle");
  // The later name, and the one before driver 535.
  for (const char* name :
       {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"}) {
    find_optional(library, functions.clock_reasons, name);
    if (functions.clock_reasons != nullptr) break;
  }
  find_optional(library, functions.power_limit, "nvmlDeviceGetPowerManagementLimit");
  find_optional(library, functions.power_limits, "nvmlDeviceGetPowerManagementLimitConstraints");
  find_optional(library, functions.set_power_limit, "nvmlDeviceSetPowerManagementLimit");
  return absent;
}

}  // namespace

Nvml::Nvml(void* library, std::unique_ptr<NvmlFunctions> functions)
    : library_(library), functions_(std::move(functions)) {}

Nvml::~Nvml() {
  if (started_) functions_->shutdown();
  dlclose(library_);
}

Nvml::Opened Nvml::open(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, cat("no NVIDIA driver: ", dlerror())};
  auto functions = std::make_unique<NvmlFunctions>();
  const std::string absent = load(handle, *functions);
  const std::shared_ptr<Nvml> nvml(new Nvml(handle, std::move(functions)));
  if (!absent.empty()) return {nullptr, cat(library, " lacks ", absent, ": the driver is too old")};
  const std::string failure = nvml->start();
  if (!failure.empty()) return {nullptr, cat(library, ": ", failure)};
  return {nvml, ""};
}

std::string Nvml::start() {
  const NvmlFunctions& nvml = *functions_;
  int result = nvml.init();
  started_ = result == kSuccess;
  unsigned int count = 0;
  if (result == kSuccess) result = nvml.device_count(&count);
  for (unsigned int i = 0; result == kSuccess && i < count; ++i) {
    Device device{nullptr, cat("index-", i), "unknown GPU"};
    // A GPU that this job may not use cannot be opened, but it keeps its index.
    if (nvml.handle_by_index(i, &device.handle) != kSuccess) device.handle = nullptr;
    std::array<char, kTextSize> text{};
    if (device.handle != nullptr) {
      if (nvml.uuid(device.handle, text.data(), kTextSize) == kSuccess) device.uuid = text.data();
      if (nvml.name(device.handle, text.data(), kTextSize) == kSuccess) device.name = text.data();
    }
    devices_.push_back(std::move(device));
  }
  return result == kSuccess ? "" : nvml.error_string(result);
}

const Nvml::Device* Nvml::find(const std::string& selector) const {
  if (const auto index = parse_whole_number(selector)) {
    const bool usable = *index < devices_.size() && devices_[*index].handle != nullptr;
    return usable ? &devices_[*index] : nullptr;
  }
  std::string wanted = selector;
  if (selector.starts_with("MIG-")) {
    void* instance = nullptr;
    void* gpu = nullptr;
    std::array<char, kTextSize> uuid{};
    const bool found = functions_->handle_by_uuid(selector.c_str(), &instance) == kSuccess &&
                       functions_->gpu_of_mig(instance, &gpu) == kSuccess &&
                       functions_->uuid(gpu, uuid.data(), kTextSize) == kSuccess;
    wanted = found ? uuid.data() : "";
  }
  const Device* match = nullptr;
  for (const Device& device : devices_) {
    if (wanted.empty() || !device.uuid.starts_with(wanted)) continue;
    if (match != nullptr) return nullptr;
    match = &device;
  }
  return match;
}

Nvml::Value Nvml::total_energy_millijoules(const Device& device) const {
  unsigned long long millijoules = 0;
  const int result = functions_->total_energy(device.handle, &millijoules);
  return value_of(*functions_, result, millijoules);
}

Nvml::Value Nvml::power_milliwatts(const Device& device) const {
  unsigned int milliwatts = 0;
  const int result = functions_->power_usage(device.handle, &milliwatts);
  return value_of(*functions_, result, milliwatts);
}

Nvml::Value Nvml::power_limit_milliwatts(const Device& device) const {
  if (functions_->power_limit == nullptr) return {std::nullopt, kOldDriver};
  unsigned int milliwatts = 0;
  const int result = functions_->power_limit(device.handle, &milliwatts);
  return value_of(*functions_, result, milliwatts);
}

Nvml::Value Nvml::lowest_power_limit_milliwatts(const Device& device) const {
  if (functions_->power_limits == nullptr) return {std::nullopt, kOldDriver};
  unsigned int least = 0;
  unsigned int most = 0;
  const int result = functions_->power_limits(device.handle, &least, &most);
  return value_of(*functions_, result, least);
}

std::string Nvml::set_power_limit(const Device& device, uint64_t milliwatts) const {
  if (functions_->set_power_limit == nullptr) return kOldDriver;
  const int result =
      functions_->set_power_limit(device.handle, static_cast<unsigned int>(milliwatts));
  return result == kSuccess ? "" : functions_->error_string(result);
}

Nvml::Value Nvml::clock_limits(const Device& device) const {
  if (functions_->clock_reasons == nullptr) return {std::nullopt, kOldDriver};
  unsigned long long reasons = 0;
  const int result = functions_->clock_reasons(device.handle, &reasons);
  return value_of(*functions_, result, reasons & kClockLimits);
}

}  // namespace lmtrain
