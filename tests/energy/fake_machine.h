// A machine whose sensors are files of a temporary folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <stdlib.h>

#include "energy/meters/meter.h"

namespace lmtrain {

class FakeMachine {
 public:
  FakeMachine() {
    std::string name = (std::filesystem::temp_directory_path() / "lmtrain-energy-XXXXXX").string();
    root_ = mkdtemp(name.data());
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    std::filesystem::create_directories(root_ / "sys" / "class" / "powercap");
  }
  ~FakeMachine() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  const std::filesystem::path& root() const { return root_; }
  // There is no NVIDIA driver unless use_fake_nvml() was called.
  const SensorRoots& roots() {
    roots_.sysfs = root_ / "sys";
    roots_.procfs = root_ / "proc";
    return roots_;
  }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::trunc) << text << "\n";
  }
  void remove(const std::string& path) const { std::filesystem::remove(root_ / path); }

  static std::string zone_path(const std::string& zone) { return "sys/class/powercap/" + zone; }
  void add_zone(const std::string& zone, const std::string& name, uint64_t microjoules,
                uint64_t range = 262143328850) const {
    write(zone_path(zone) + "/name", name);
    write(zone_path(zone) + "/max_energy_range_uj", std::to_string(range));
    set_energy(zone, microjoules);
  }
  void set_energy(const std::string& zone, uint64_t microjoules) const {
    write(zone_path(zone) + "/energy_uj", std::to_string(microjoules));
  }

  // Gives the machine `threads` processors of this model and 16 GB of memory, half of it in use.
  void add_proc(int threads, const std::string& model, int sockets = 1) const {
    std::string info;
    for (int i = 0; i < threads; ++i) {
      const std::string id = std::to_string(i);
      info += "processor\t: " + id + "\nmodel name\t: " + model +
              "\nphysical id\t: " + std::to_string(i % sockets) + "\ncore id\t\t: " + id +
              "\nflags\t\t: fpu hypervisor sse\n\n";
    }
    write("proc/cpuinfo", info);
    write("proc/meminfo", "MemTotal:       15625000 kB\nMemFree: 1 kB\nMemAvailable: 7812500 kB");
    set_ticks(0, 0);
  }
  void set_ticks(int64_t busy, int64_t idle) const {
    write("proc/stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) +
                           " 0 0 0 0 0 0\ncpu0 1 2 3 4");
  }

  // Gives the machine these GPUs, in the format of tests/energy/fake_nvml.
  void use_fake_nvml(const std::string& gpus) {
    write("gpus", gpus);
    setenv("FAKE_NVML_GPUS", (root_ / "gpus").c_str(), 1);
    roots_.nvml_library = LMTRAIN_FAKE_NVML;
  }

 private:
  std::filesystem::path root_;
  SensorRoots roots_{"", "", "libno-such-driver.so"};
};

}  // namespace lmtrain
