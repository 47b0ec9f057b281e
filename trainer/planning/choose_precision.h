// Chooses the precision of `train.precision: auto`.
#pragma once

#include <optional>

#include <c10/core/Device.h>

#include "parallel/compute.h"
#include "parallel/launch.h"
#include "parallel/precision.h"
#include "trainer/config/config.h"

namespace lmtrain {

// Collective. Where train.precision is auto, it becomes `of_checkpoint`, which rank 0 knows where
// the run goes on from a checkpoint, else the faster of bf16 and fp32 on the devices of these ranks
// together. Throws CollectiveError.
void choose_precision(Config& config, std::optional<Precision> of_checkpoint,
                      const Compute& compute, Launch& launch);

// The faster of bf16 and fp32 in matrix products on this device alone, while nothing else runs.
Precision faster_precision(at::Device device);

}  // namespace lmtrain
