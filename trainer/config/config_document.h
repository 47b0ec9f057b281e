// docs/config.md, written from the description that the checks use.
#pragma once

#include <string>

namespace lmtrain {

std::string config_markdown();

}  // namespace lmtrain
