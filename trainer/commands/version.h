// For --version and doctor.
#pragma once

#include <string>

namespace lmtrain {

// "lmtrain 0.1.0 (commit)" and the versions of the libraries, a line each.
std::string version_text();

}  // namespace lmtrain
