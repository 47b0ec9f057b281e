// What the processors of this machine have spent their time on since it was started.
#pragma once

#include <optional>
#include <string_view>

namespace lmtrain {

// Clock ticks of all processors (sysconf(_SC_CLK_TCK) a second).
struct CpuTicks {
  double total = 0.0;
  double busy = 0.0;    // with work of this machine
  double stolen = 0.0;  // spent on the work of other virtual machines
};
// Parses the first line of /proc/stat: "cpu user nice system idle iowait irq softirq steal ...".
std::optional<CpuTicks> parse_cpu_ticks(std::string_view stat);

}  // namespace lmtrain
