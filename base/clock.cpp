#include "base/clock.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <unistd.h>

#include "base/text.h"

namespace lmtrain {
namespace {

// Takes `count` digits off the front of `text` as a number; nothing where others stand there.
std::optional<int> take_digits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Behind a time: "", "Z", "+01:00", "-0130"; the seconds that local time is ahead of UTC.
std::optional<int> parse_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  const int sign = text.front() == '-' ? -1 : 1;
  if (!take(text, "+-")) return std::nullopt;
  const std::optional<int> hours = take_digits(text, 2);
  take(text, ":");
  const std::optional<int> minutes = text.empty() ? 0 : take_digits(text, 2);
  if (!hours || !minutes || !text.empty() || *hours > 14 || *minutes > 59) return std::nullopt;
  return sign * (3600 * *hours + 60 * *minutes);
}

}  // namespace

std::optional<double> parse_time(std::string_view text) {
  const std::optional<int> year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const std::optional<int> month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const std::optional<int> day = take_digits(text, 2);
  std::optional<int> hour = 0;
  std::optional<int> minute = 0;
  std::optional<int> second = 0;
  double fraction = 0;
  if (take(text, "Tt ")) {
    hour = take_digits(text, 2);
    if (!take(text, ":")) return std::nullopt;
    minute = take_digits(text, 2);
    if (take(text, ":")) second = take_digits(text, 2);
    if (take(text, ".")) {
      const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
      fraction = parse_number(cat("0.", text.substr(0, end))).value_or(0);
      text.remove_prefix(end);
    }
  }
  const std::optional<int> zone = parse_zone(text);
  if (!day || !hour || !minute || !second || !zone) return std::nullopt;
  std::tm parts = {};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  const std::tm wanted = parts;
  const std::time_t time = timegm(&parts);  // corrects what cannot be, such as the 30th of February
  const bool is_a_time = parts.tm_mon == wanted.tm_mon && parts.tm_mday == wanted.tm_mday &&
                         parts.tm_hour == wanted.tm_hour && parts.tm_min == wanted.tm_min &&
                         parts.tm_sec == wanted.tm_sec;
  if (!is_a_time) return std::nullopt;
  return static_cast<double>(time) + fraction - *zone;
}

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
