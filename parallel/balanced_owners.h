// Work that ranks share item by item: who takes which.
#pragma once

#include <vector>

namespace lmtrain {

// Returns the rank of [0, num_ranks) that each item goes to, the same on all ranks. Items are given
// away from the costliest on, each to the rank that has the least so far (LPT; Graham, 1969).
std::vector<int> balanced_owners(const std::vector<double>& costs, int num_ranks);

}  // namespace lmtrain
