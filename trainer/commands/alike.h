// Whether the ranks of a job are copies of one program with one config.
#pragma once

#include "parallel/launch.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Collective. Throws CollectiveError naming rank and host where a rank runs another binary than
// rank 0.
void require_same_program(Launch& launch);

// Collective. The same, and where a rank has read another config.
void require_alike(const LoadedConfig& loaded, Launch& launch);

}  // namespace lmtrain
