#pragma once

#include <string>

namespace lmtrain {

// The name of this machine, as the system gives it.
std::string host_name();

}  // namespace lmtrain
