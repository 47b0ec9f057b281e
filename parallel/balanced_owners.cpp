#include "parallel/balanced_owners.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace lmtrain {

std::vector<int> balanced_owners(const std::vector<double>& costs, int num_ranks) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](size_t i) { return costs[i]; });
  std::vector<double> load(static_cast<size_t>(num_ranks));
  std::vector<int> owners(costs.size());
  for (const size_t i : order) {
    const auto least = std::ranges::min_element(load);
    *least += costs[i];
    owners[i] = static_cast<int>(least - load.begin());
  }
  return owners;
}

}  // namespace lmtrain
