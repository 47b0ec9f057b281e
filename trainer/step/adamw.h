// AdamW (Loshchilov and Hutter, 2019) over the flat buffers of a store, through ATen's fused
// kernel.
#pragma once

#include <cstdint>

#include "parallel/parameter_store.h"
#include "trainer/config/config.h"

namespace lmtrain {

// Updates master weights and moments in place with decoupled decay, then makes the compute copy.
// `num_updates` counts this one (1 for the first). `gradient_scale` multiplies every gradient
// (clipping).
void adamw_update(ParameterStore& store, const OptimizerConfig& config, double lr,
                  int64_t num_updates, double gradient_scale);

}  // namespace lmtrain
