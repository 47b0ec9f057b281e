// Sets of characters as sorted ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>

namespace lmtrain {

inline constexpr uint32_t kNumCodePoints = 0x110000;

struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

// Whether one of the sorted ranges contains the code point.
inline bool holds(std::span<const CodePointRange> ranges, uint32_t code_point) {
  const auto after = std::ranges::upper_bound(ranges, code_point, {}, &CodePointRange::first);
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

}  // namespace lmtrain
