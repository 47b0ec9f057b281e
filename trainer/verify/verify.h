// `lmtrain verify`: compares training in a config's layout with training on one rank.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"
#include "trainer/verify/layout_run.h"

namespace lmtrain {

// The same config in the layout of one rank.
Config on_one_rank(Config config);

// Whether two runs of the same config are equal but for rounding.
struct LayoutVerdict {
  bool is_equal = false;
  std::string reason;  // a line
};
// In fp64 the differences may be 1e-9; otherwise three times `spread`, which is the difference
// between runs of one rank that take their samples in other orders. Weights whose updates have no
// bound (Optimizer::largest_update) may differ as they like.
LayoutVerdict judge(const LayoutDifference& found, const LayoutDifference& spread,
                    Precision precision);
// The same, but each tensor is compared with its own spread. Below fp64 a tensor's gradient may
// also differ by a share of its largest value, and its weights by a share of its largest_update,
// since the spread may not show all the rounding that the tensor axis adds.
LayoutVerdict judge_each(const LayoutDifference& found, const LayoutDifference& spread,
                         Precision precision);

// Collective. Trains `num_steps` steps on rank 0 alone and in the config's layout on all ranks,
// with the same batches, and prints the largest differences of losses, gradients and weights,
// tensor by tensor. Returns kNumeric where they are larger than rounding explains. Throws
// CollectiveError.
ExitCode verify_layout(const LoadedConfig& loaded, int64_t num_steps, Launch& launch);

}  // namespace lmtrain
