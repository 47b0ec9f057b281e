// `lmtrain verify`: a config's layout against one rank.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"
#include "trainer/verify/layout_run.h"

namespace lmtrain {

// The config as one rank runs it.
Config on_one_rank(Config config);

// Whether two runs of the same config are equal but for rounding.
struct LayoutVerdict {
  bool is_equal = false;
  std::string reason;  // a line
};
// In fp64 within 1e-9, else within three times `spread`, which is how far one rank is from itself
// with its samples in another order.
LayoutVerdict judge(const LayoutDifference& found, const LayoutDifference& spread,
                    const std::string& precision);
// The same of each tensor by its own spread. Below fp64 a share of its largest gradient is allowed
// besides, and for its weights a share of its largest_update: the spread may lack some of what the
// tensor axis adds.
LayoutVerdict judge_each(const LayoutDifference& found, const LayoutDifference& spread,
                         const std::string& precision);

// Collective: trains `num_steps` steps on rank 0 alone, then in the config's layout on all ranks,
// on the same batches, and prints the largest differences of losses, gradients and weights, tensor
// by tensor. Returns kNumeric where they are more than rounding. Throws CollectiveError.
ExitCode verify_layout(const LoadedConfig& loaded, int64_t num_steps, Launch& launch);

}  // namespace lmtrain
