// AMD GPUs through the hwmon folders of Linux's amdgpu driver (Documentation/gpu/amdgpu/thermal):
// power1_average or power1_input in microwatts, and energy1_input in microjoules where there is
// one. Each die that software sees as a GPU has a folder, which is tied to its PCI address.
#include <algorithm>
#include <array>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/file_meter.h"
#include "energy/meters/gpu_selector.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxWatts = 3000.0;
constexpr double kEnergyError = 0.05;
constexpr double kPowerError = 0.10;
constexpr const char* kNoPower = "shows 0 W, which no card in use draws";

// PCI device numbers of cards with two dies, and of modules with a processor and memory.
constexpr std::array<std::string_view, 2> kTwoDies = {"0x7408", "0x740c"};  // MI250X, MI250
constexpr std::array<std::string_view, 1> kWithProcessor = {"0x74a0"};      // MI300A

template <class Names>
bool is_among(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A file that shows the energy or the power of a die.
struct Input {
  fs::path file;
  bool is_energy;
  std::string why_unreadable;  // "" when it shows more than 0
};

struct Die {
  std::string address;     // "0000:c1:00.0"
  std::string pci_device;  // "0x740c"
  std::string unique_id;   // 16 hexadecimal digits; "" where the driver tells none
  std::optional<Input> input;

  bool is_readable() const { return input && input->why_unreadable.empty(); }
};

// The first input that shows something. If none does, the first that exists, which may show
// something later.
std::optional<Input> choose_input(const fs::path& folder) {
  std::optional<Input> first;
  for (const std::string name : {"energy1_input", "power1_average", "power1_input"}) {
    const fs::path file = folder / name;
    const SystemNumber number = read_system_number(file);
    std::error_code ignored;
    if (!number.value && !fs::exists(file, ignored)) continue;
    Input input{file, name.starts_with("energy"), number.failure};
    if (number.value == 0) input.why_unreadable = cat(file.string(), ": ", kNoPower);
    if (input.why_unreadable.empty()) return input;
    if (!first) first = input;
  }
  return first;
}

// All dies of the node in the order of their PCI addresses.
std::vector<Die> find_dies(const fs::path& sysfs) {
  std::vector<Die> dies;
  for (const fs::path& folder : sorted_entries(sysfs / "class" / "hwmon")) {
    if (read_system_text(folder / "name").text != "amdgpu") continue;
    std::error_code error;
    const fs::path device = fs::canonical(folder / "device", error);
    if (error) continue;  // the card has just been taken away
    Die die;
    die.address = device.filename();
    die.pci_device = read_system_text(device / "device").text.value_or("");
    die.unique_id = read_system_text(device / "unique_id").text.value_or("");
    die.input = choose_input(folder);
    dies.push_back(std::move(die));
  }
  std::sort(dies.begin(), dies.end(),
            [](const Die& a, const Die& b) { return a.address < b.address; });
  return dies;
}

// For each die, which die's sensor shows its power: its own, or that of the first die of the card.
std::vector<size_t> metered_by(const std::vector<Die>& dies) {
  std::vector<size_t> by(dies.size());
  for (size_t i = 0; i < dies.size(); ++i) {
    by[i] = i;
    if (i == 0 || by[i - 1] != i - 1 || !is_among(kTwoDies, dies[i].pci_device)) continue;
    const bool is_second = dies[i - 1].pci_device == dies[i].pci_device &&
                           dies[i - 1].is_readable() && !dies[i].is_readable();
    if (is_second) by[i] = i - 1;
  }
  return by;
}

// The place among `dies` that a selector names.
std::optional<size_t> find_die(const std::vector<Die>& dies, const std::string& selector) {
  if (!selects_amd_gpu(selector)) return std::nullopt;
  const std::string name = in_lower_case(selector.substr(kAmdSelector.size()));
  const std::optional<uint64_t> index = parse_whole_number(name);
  for (size_t i = 0; i < dies.size(); ++i) {
    const bool has_id = !dies[i].unique_id.empty() && name == "gpu-" + dies[i].unique_id;
    if (index ? *index == i : has_id || name == dies[i].address) return i;
  }
  return std::nullopt;
}

FoundSensor sensor_of(const Die& die) {
  FoundSensor sensor;
  sensor.info = {"amdgpu:" + die.address, cat("AMD GPU ", die.address), DeviceKind::kGpu,
                 Quality::kMeasured};
  if (is_among(kWithProcessor, die.pci_device)) {
    sensor.covers = {DeviceKind::kCpu, DeviceKind::kMemory};
  }
  if (!die.input) {
    sensor.why_unreadable = "its driver shows neither power1_average nor power1_input";
    return sensor;
  }
  sensor.why_unreadable = die.input->why_unreadable;
  sensor.make = [info = sensor.info, input = *die.input] {
    return input.is_energy ? make_energy_file_meter(info, input.file, {0, kMaxWatts, kEnergyError})
                           : make_power_file_meter(info, {input.file, kPowerError, kNoPower});
  };
  return sensor;
}

}  // namespace

std::vector<FoundSensor> amdgpu_sensors(const SensorSearch& search) {
  const std::vector<Die> dies = find_dies(search.roots.sysfs);
  const std::vector<size_t> by = metered_by(dies);
  std::vector<FoundSensor> sensors;
  for (size_t i = 0; i < dies.size(); ++i) {
    FoundSensor sensor = sensor_of(dies[i]);
    sensor.owner = first_user(search.gpu_of_local_rank, [&](const std::string& selector) {
      const std::optional<size_t> die = find_die(dies, selector);
      return die && by[*die] == i;
    });
    if (!sensor.owner && !search.list_unused_gpus) continue;
    if (!sensor.owner) {
      sensor.why_not_counted = "no rank computes on it, because lmtrain does not use AMD GPUs yet";
    }
    if (by[i] != i) {
      sensor.why_unreadable = cat("the sensor of ", dies[by[i]].address, " shows the whole card");
    }
    sensors.push_back(std::move(sensor));
  }
  add_unknown_gpus(sensors, search, "amdgpu", [&](const std::string& selector) {
    if (!selects_amd_gpu(selector) || find_die(dies, selector)) return std::string();
    return cat("no folder of amdgpu under ", (search.roots.sysfs / "class" / "hwmon").string(),
               " belongs to it");
  });
  return sensors;
}

}  // namespace lmtrain
