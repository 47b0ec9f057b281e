#include "energy/nvml.h"

#include <array>
#include <charconv>
#include <sstream>

#include <dlfcn.h>

#include "base/text.h"
#include "energy/counter.h"

namespace lmtrain {

// Declared here after NVML's reference manual, because its header comes with the CUDA toolkit only.
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
};

namespace {

constexpr int kSuccess = 0;
constexpr unsigned int kTextSize = 96;

// Above any single GPU or superchip module.
constexpr double kMaxWatts = 3000.0;
// Measured against wall meters: Yang et al., "Part-time power measurements" (arXiv 2312.02741).
constexpr double kEnergyError = 0.05;
constexpr double kPowerError = 0.10;

// Looks every function up. Returns the name of one that is absent, or "".
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
  return absent;
}

// The index that `text` spells, or none.
std::optional<size_t> parse_index(const std::string& text) {
  size_t index = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, index);
  if (text.empty() || error != std::errc() || at != end) return std::nullopt;
  return index;
}

class NvmlMeter : public Meter {
 public:
  NvmlMeter(std::shared_ptr<Nvml> nvml, Nvml::Device device, bool has_counter)
      : Meter({"nvml:" + device.uuid, device.name, DeviceKind::kGpu, Quality::kMeasured}),
        nvml_(std::move(nvml)),
        device_(std::move(device)),
        has_counter_(has_counter),
        counter_({0, kMaxWatts, kEnergyError}),
        integral_(kPowerError) {}

  Reading read(double now) override {
    const Nvml::Value value =
        has_counter_ ? nvml_->total_energy_millijoules(device_) : nvml_->power_milliwatts(device_);
    if (!value.value) {
      integral_.interrupt();
      return missing_reading(value.failure);
    }
    if (has_counter_) return counter_.advance(now, *value.value * 1000);
    return integral_.advance(now, static_cast<double>(*value.value) * 1e-3);
  }

 private:
  std::shared_ptr<Nvml> nvml_;
  Nvml::Device device_;
  bool has_counter_;
  EnergyCounter counter_;
  PowerIntegral integral_;
};

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
    // A GPU of the node that this job may not use cannot be opened and keeps its place in the
    // order.
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
  if (const auto index = parse_index(selector)) {
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
  if (result != kSuccess) return {std::nullopt, functions_->error_string(result)};
  return {millijoules, ""};
}

Nvml::Value Nvml::power_milliwatts(const Device& device) const {
  unsigned int milliwatts = 0;
  const int result = functions_->power_usage(device.handle, &milliwatts);
  if (result != kSuccess) return {std::nullopt, functions_->error_string(result)};
  return {milliwatts, ""};
}

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

std::unique_ptr<Meter> make_nvml_meter(std::shared_ptr<Nvml> nvml, const Nvml::Device& device) {
  const bool has_counter = nvml->total_energy_millijoules(device).value.has_value();
  return std::make_unique<NvmlMeter>(std::move(nvml), device, has_counter);
}

}  // namespace lmtrain
