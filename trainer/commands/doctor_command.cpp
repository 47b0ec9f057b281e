// doctor: what this machine and this binary have.
#include <iostream>

#include <ATen/ATen.h>

#include "base/machine_memory.h"
#include "base/text.h"
#include "energy/carbon_intensity.h"
#include "energy/doctor.h"
#include "models/cpu_capability.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "parallel/device.h"
#include "trainer/commands/command.h"
#include "trainer/commands/version.h"

namespace lmtrain {
namespace {

constexpr size_t kLineWidth = 100;

void print_machine() {
  const std::vector<int> cores = job_cores();
  std::cout << "cores         " << cores.size() << " (" << core_list_text(cores) << ")\n"
            << "instructions  " << cpu_capability() << "\n";
  for (const auto& [name, type] :
       {std::pair{"fp32", at::kFloat}, std::pair{"bf16", at::kBFloat16}}) {
    std::cout << "matmul " << name << "   "
              << fixed(measure_matmul_ceiling(type, at::kCPU).flops / 1e9, 0) << " GFLOP/s\n";
  }
  const AvailableMemory memory = available_memory();
  std::cout << "memory        " << human_bytes(memory.bytes) << " (" << memory.limited_by << ")\n";
  for (const std::string& line : describe_accelerators())
    std::cout << "accelerator   " << line << "\n";
}

void print_sensors() {
  std::cout << "\npower sensors\n";
  for (const SensorDescription& sensor : describe_sensors(SensorRoots{}, EnergyConfig{})) {
    std::cout << "  " << sensor.name << ": " << (sensor.readable ? "readable" : "not readable")
              << (sensor.counted ? ", counted" : "")
              << (sensor.remarks.empty() ? "" : ". " + sensor.remarks) << "\n";
  }
}

void print_regions() {
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

ExitCode examine_machine(const CommandLine&) {
  std::cout << version_text() << "\n";
  print_machine();
  print_sensors();
  print_regions();
  return ExitCode::kDone;
}

}  // namespace

Command add_doctor(CLI::App& program) {
  return {.app = program.add_subcommand(
              "doctor", "Show devices, power sensors and why one cannot be read, and versions"),
          .examples = {"lmtrain doctor"},
          .run = examine_machine};
}

}  // namespace lmtrain
