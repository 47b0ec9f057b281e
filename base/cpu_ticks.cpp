#include "base/cpu_ticks.h"

#include <array>

#include "base/system_file.h"
#include "base/text.h"

namespace lmtrain {

std::optional<CpuTicks> parse_cpu_ticks(std::string_view stat) {
  constexpr std::string_view kName = "cpu ";
  std::string_view line = cut_line(stat);
  if (!line.starts_with(kName)) return std::nullopt;
  line.remove_prefix(kName.size());
  std::array<double, 8> ticks{};  // what guests took is in user and nice
  size_t count = 0;
  for (; count < ticks.size(); ++count) {
    const std::optional<int64_t> number = cut_number(line);
    if (!number) break;
    ticks[count] = static_cast<double>(*number);
  }
  if (count < 4) return std::nullopt;
  CpuTicks result;
  for (const double tick : ticks) result.total += tick;
  result.stolen = ticks[7];
  result.busy = result.total - ticks[3] - ticks[4] - result.stolen;
  return result;
}

}  // namespace lmtrain
