#include "base/hash.h"

#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

std::string hex16(uint64_t value) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (int at = 15; at >= 0; --at, value >>= 4) text[at] = kDigits[value & 15];
  return text;
}

uint64_t parse_hex16(std::string_view text) {
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw DataError(cat("'", text, "' is not a hash of 16 hexadecimal digits"));
  }
  return value;
}

}  // namespace lmtrain
