// The list of optimizers.
#pragma once

#include <memory>

#include "trainer/config/optimizer_config.h"
#include "trainer/step/optimizer.h"

namespace lmtrain {

// The optimizer of `config.kind`.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config);

}  // namespace lmtrain
