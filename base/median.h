// The middle of a list of numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lmtrain {

// Returns the upper one of the two in the middle where there are two. `values` must not be empty.
template <class Values>
double median(const Values& values) {
  std::vector<double> sorted(values.begin(), values.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

}  // namespace lmtrain
