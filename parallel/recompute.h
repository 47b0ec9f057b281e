// What backward computes again, so that it is not kept (parallel.recompute).
#pragma once

#include <array>
#include <string_view>

namespace lmtrain {

enum class Recompute {
  kNone,
  kSelective,  // attention between its projections
  kFull,       // whole blocks
};
constexpr auto choice_names(Recompute) {
  return std::to_array<std::string_view>({"none", "selective", "full"});
}

}  // namespace lmtrain
