// parallel: auto.
#pragma once

#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Collective. Where parallel.layout is auto, the config gets the first layout of plan_layouts on
// what the ranks compute with, as rank 0 sees it, and becomes manual. Throws CollectiveError where
// none fits or a key of the layout is given beside it.
void choose_layout(LoadedConfig& loaded, const Compute& compute, Launch& launch);

}  // namespace lmtrain
