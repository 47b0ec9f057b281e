// Compares what several ranks each keep of weights and optimizer and update alike: it should be the
// same to the bit for ever, and is not where a machine computes or keeps something wrong.
#pragma once

#include <cstdint>

#include "parallel/mesh.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Collective. Without ZeRO the ranks of a data axis keep the same weights and state, up to stage 2
// the same weights that layers read; the ranks of a tensor axis keep the same of each tensor that
// is not cut. Throws CollectiveError with ExitCode::kNumeric, which names the first tensor that
// differs and the ranks that differ from most, for the state after `step` updates.
void require_no_drift(const ParameterStore& store, Mesh& mesh, int64_t step);

}  // namespace lmtrain
