#include "energy/meters/node_use.h"

#include <algorithm>

#include <unistd.h>

#include "base/cpu_ticks.h"
#include "base/machine_memory.h"

namespace lmtrain {

NodeUseReader::NodeUseReader(const std::filesystem::path& procfs)
    : stat_(procfs / "stat"), meminfo_(procfs / "meminfo") {}

std::optional<NodeUse> NodeUseReader::read() {
  const std::optional<CpuTicks> ticks = parse_cpu_ticks(stat_.read());
  const std::string_view memory = meminfo_.read();
  const std::optional<int64_t> total = meminfo_bytes(memory, "MemTotal");
  const std::optional<int64_t> available = meminfo_bytes(memory, "MemAvailable");
  if (!ticks || !total || !available) return std::nullopt;
  return NodeUse{ticks->busy / static_cast<double>(sysconf(_SC_CLK_TCK)),
                 static_cast<double>(std::max<int64_t>(*total - *available, 0))};
}

}  // namespace lmtrain
