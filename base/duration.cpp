#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>

#include "base/text.h"

namespace lmtrain {
namespace {

struct Unit {
  char letter;
  double seconds;
};
constexpr std::array<Unit, 4> kUnits = {{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<double> parse_duration(std::string_view text) {
  double seconds = 0;
  auto unit = kUnits.begin();
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    const auto length = static_cast<size_t>(end - text.data());
    if (error != std::errc() || length == text.size() || !is_digit(text[0]) ||
        !is_digit(text[length - 1]))
      return std::nullopt;
    while (unit != kUnits.end() && unit->letter != text[length]) ++unit;
    const bool is_last = length + 1 == text.size();
    if (unit == kUnits.end() || (number != std::floor(number) && !is_last)) return std::nullopt;
    seconds += number * unit->seconds;
    ++unit;
    text.remove_prefix(length + 1);
  }
  return seconds;
}

std::string duration_text(double seconds) {
  std::string text;
  double rest = seconds;
  for (const Unit& unit : kUnits) {
    if (unit.seconds == 1) {
      if (rest > 0 || text.empty()) text += cat(shortest(rest), "s");
    } else if (const double count = std::floor(rest / unit.seconds); count > 0) {
      text += cat(static_cast<int64_t>(count), unit.letter);
      rest -= count * unit.seconds;
    }
  }
  return text;
}

}  // namespace lmtrain
