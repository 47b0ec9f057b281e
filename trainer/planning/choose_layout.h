// Chooses the layout of `parallel: auto`.
#pragma once

#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

// Collective. Where parallel.layout is auto, the config gets the first layout that plan_layouts
// finds for the machine of rank 0, and its parallel.layout becomes manual. Throws CollectiveError
// where no layout fits, or where a key that it would choose is set as well.
void choose_layout(LoadedConfig& loaded, const Compute& compute, Launch& launch);

}  // namespace lmtrain
