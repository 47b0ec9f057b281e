// doctor and --version: what this machine and this binary have.
#include <iostream>
#include <set>

#include <ATen/Version.h>
#include <hdf5.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/machine_memory.h"
#include "base/text.h"
#include "energy/carbon_intensity.h"
#include "energy/doctor.h"
#include "models/cpu_capability.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "parallel/device.h"
#include "trainer/commands/commands.h"

namespace lmtrain {
namespace {

constexpr size_t kLineWidth = 100;

}  // namespace

std::string version_text() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return cat("lmtrain ", version(), " (", commit(), ")\n", build_description(), "\n",
             Launch::library_version(), "\nHDF5 ", major, ".", minor, ".", release, "\n");
}

void command_doctor() {
  std::cout << version_text() << "\n";
  const std::vector<int> cores = job_cores();
  std::cout << "cores         " << cores.size() << " (" << core_list_text(cores) << ")\n"
            << "instructions  " << cpu_capability() << "\n";
  for (const auto& [name, type] :
       {std::pair{"fp32", at::kFloat}, std::pair{"bf16", at::kBFloat16}}) {
    std::cout << "matmul " << name << "   " << fixed(measure_matmul_flops(type, at::kCPU) / 1e9, 0)
              << " GFLOP/s\n";
  }
  const AvailableMemory memory = available_memory();
  std::cout << "memory        " << human_bytes(memory.bytes) << " (" << memory.limited_by << ")\n";
  for (const std::string& line : describe_accelerators())
    std::cout << "accelerator   " << line << "\n";
  std::cout << "\npower sensors\n";
  for (const SensorDescription& sensor : describe_sensors(SensorRoots{}, EnergyConfig{})) {
    std::cout << "  " << sensor.name << ": " << (sensor.readable ? "readable" : "not readable")
              << (sensor.counted ? ", counted" : "")
              << (sensor.remarks.empty() ? "" : ". " + sensor.remarks) << "\n";
  }
  std::cout << "\nregions (energy.region)";
  size_t column = kLineWidth;
  for (const GridIntensity& grid : carbon_table()) {
    if (column + grid.code.size() >= kLineWidth) {
      std::cout << "\n ";
      column = 1;
    }
    std::cout << " " << grid.code;
    column += 1 + grid.code.size();
  }
  std::cout << "\n";
}

}  // namespace lmtrain
