// The list of optimizers.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "trainer/config/optimizer_config.h"
#include "trainer/step/optimizer.h"

namespace lmtrain {

// The optimizer of `config.kind`.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config);

// The keys of section `optimizer` that the optimizer of a kind reads: "eps", or "muon." for all of
// a section.
std::span<const std::string_view> keys_of(OptimizerKind kind);

}  // namespace lmtrain
