// Lengths of time as people write them: "3h50m", "90s", "1d12h", "0.5s".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lmtrain {

// Seconds. Numbers with the units d, h, m and s, each at most once and the largest first, and the
// last number may have decimals. Nothing for other texts: a number alone could be seconds or
// minutes.
std::optional<double> parse_duration(std::string_view text);

// The shortest such text that parse_duration reads as the same number; "0s" for none. `seconds` is
// not negative.
std::string duration_text(double seconds);

}  // namespace lmtrain
