// What this binary was built from.
#pragma once

#include <string>

namespace lmtrain {

// The version of lmtrain, such as "0.1.0".
std::string version();
// The git commit, with "-dirty" when the tree had changes; "unknown" outside a checkout.
std::string commit();
// Compiler, build type and LibTorch, such as "GNU 12.2.0, RelWithDebInfo, LibTorch 2.11.0".
std::string build_description();

}  // namespace lmtrain
