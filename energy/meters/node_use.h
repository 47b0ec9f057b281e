// How much of a node is in use, by this job and by all others. On a node that several jobs share,
// the sensors see all of them; the report gives a job its part (docs/energy.md).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace lmtrain {

// Clock ticks of all processors since boot.
struct CpuTicks {
  double total = 0.0;
  double busy = 0.0;
};
// Parses the first line of /proc/stat: "cpu user nice system idle iowait irq softirq steal ...".
std::optional<CpuTicks> parse_cpu_ticks(const std::string& stat);

// Of the whole node.
struct NodeUse {
  double busy_cpu_seconds = 0.0;  // of all processors since boot
  double memory_bytes = 0.0;      // in use now
};
// Nothing where PROCFS/stat or PROCFS/meminfo cannot be read.
std::optional<NodeUse> read_node_use(const std::filesystem::path& procfs);

// Bytes of memory that this process alone keeps now; 0 where PROCFS/self/statm cannot be read.
double own_memory_bytes(const std::filesystem::path& procfs);

}  // namespace lmtrain
