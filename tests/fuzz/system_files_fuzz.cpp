// What the system tells of processor, memory and their use: any bytes give numbers or nothing.
#include "base/error.h"
#include "base/machine_memory.h"
#include "energy/energy_config.h"
#include "energy/meters/node_use.h"
#include "energy/meters/power_model.h"
#include "energy/meters/sensors.h"
#include "tests/fuzz/file_of_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  Parts parts(data, size);
  const std::filesystem::path procfs = empty_folder("proc");
  std::filesystem::create_directories(procfs / "self");
  write_text(procfs / "cpuinfo", parts.next());
  write_text(procfs / "meminfo", parts.next());
  write_text(procfs / "stat", parts.next());
  write_text(procfs / "self/statm", parts.next());
  write_text(procfs / "self/smaps_rollup", parts.next());
  const std::filesystem::path sysfs = empty_folder("sys");
  const std::filesystem::path zone = sysfs / "class/powercap/intel-rapl:0";
  const std::filesystem::path chip = sysfs / "class/hwmon/hwmon0";
  for (const std::filesystem::path& folder : {zone, chip})
    std::filesystem::create_directories(folder);
  write_text(zone / "name", parts.next());
  write_text(zone / "energy_uj", parts.next());
  write_text(zone / "max_energy_range_uj", parts.next());
  write_text(chip / "name", parts.next());
  write_text(chip / "energy1_input", parts.next());
  write_text(chip / "power1_input", parts.next(/*is_last=*/true));
  NodeUseReader(procfs).read();
  OwnMemory(procfs).anonymous_bytes();
  cpu_design_power(procfs, EnergyConfig());
  memory_watts(procfs);
  const SensorRoots roots = {sysfs, procfs, "no library"};
  for (const auto& meter : choose_sensors(roots, EnergyConfig(), 0, {""})) {
    for (const double now : {0.0, 1.0}) {
      const Reading reading = meter->read(now);
      if (!reading.is_missing() && !(reading.joules >= 0 && reading.seconds >= 0)) __builtin_trap();
    }
  }
  return 0;
}
