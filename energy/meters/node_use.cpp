#include "energy/meters/node_use.h"

#include <array>
#include <map>
#include <sstream>

#include <unistd.h>

#include "energy/meters/system_file.h"

namespace lmtrain {

// `user` includes guest time. `steal` was spent on the work of another virtual machine.
std::optional<CpuTicks> parse_cpu_ticks(const std::string& stat) {
  std::istringstream line(stat.substr(0, stat.find('\n')));
  std::string name;
  std::array<double, 8> ticks{};
  line >> name;
  size_t count = 0;
  while (count < ticks.size() && line >> ticks[count]) ++count;
  if (name != "cpu" || count < 4) return std::nullopt;
  CpuTicks result;
  for (const double tick : ticks) result.total += tick;
  result.busy = result.total - ticks[3] - ticks[4] - ticks[7];
  return result;
}

std::optional<NodeUse> read_node_use(const std::filesystem::path& procfs) {
  const std::optional<CpuTicks> ticks =
      parse_cpu_ticks(read_system_text(procfs / "stat").text.value_or(""));
  const std::map<std::string, int64_t> memory = read_meminfo(procfs);
  const auto total = memory.find("MemTotal");
  const auto available = memory.find("MemAvailable");
  if (!ticks || total == memory.end() || available == memory.end()) return std::nullopt;
  return NodeUse{ticks->busy / static_cast<double>(sysconf(_SC_CLK_TCK)),
                 static_cast<double>(total->second - available->second)};
}

double own_memory_bytes(const std::filesystem::path& procfs) {
  // "size resident shared ..." in pages; shared ones are files and memory of other processes too.
  std::istringstream words(read_system_text(procfs / "self" / "statm").text.value_or(""));
  double size = 0.0;
  double resident = 0.0;
  double shared = 0.0;
  if (!(words >> size >> resident >> shared)) return 0.0;
  return (resident - shared) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace lmtrain
