// The tokens that two texts have in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lmtrain {

// Returns the places in `a` and in `b` of their matching tokens, by the longest common block, then
// the longest ones before and behind it, and so on (Ratcliff and Obershelp, 1988), as Python's
// difflib finds them, which CrowS-Pairs uses.
std::array<std::vector<size_t>, 2> matching_places(const std::vector<int32_t>& a,
                                                   const std::vector<int32_t>& b);

}  // namespace lmtrain
