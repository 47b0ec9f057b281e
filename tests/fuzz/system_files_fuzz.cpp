// What the system tells of processor, memory and their use: any bytes give numbers or nothing.
#include "base/error.h"
#include "energy/energy_config.h"
#include "energy/meters/node_use.h"
#include "energy/meters/power_model.h"
#include "energy/meters/system_file.h"
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
  write_text(procfs / "self/smaps_rollup", parts.next(/*is_last=*/true));
  read_meminfo(procfs);
  read_node_use(procfs);
  own_memory_bytes(procfs);
  cpu_design_power(procfs, EnergyConfig());
  memory_watts(procfs);
  return 0;
}
