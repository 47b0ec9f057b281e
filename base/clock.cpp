#include "base/clock.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <unistd.h>

namespace lmtrain {

std::string utc_text(double unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts = {};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string utc_now() { return utc_text(clock_seconds(CLOCK_REALTIME)); }

double process_age_seconds() {
  std::ifstream file("/proc/self/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // "PID (NAME) STATE ...": the name may hold anything, and the start is the 20th field behind it,
  // in clock ticks since boot (proc_pid_stat).
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0.0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;
  double ticks = 0.0;
  if (!(std::istringstream(field) >> ticks)) return 0.0;
  const double started = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return std::max(0.0, clock_seconds(CLOCK_BOOTTIME) - started);
}

}  // namespace lmtrain
