#include "base/build_info.h"

#include "lmtrain_version.h"

namespace lmtrain {

std::string version() { return LMTRAIN_VERSION; }
std::string commit() { return LMTRAIN_COMMIT; }
std::string build_description() {
  return LMTRAIN_COMPILER ", " LMTRAIN_BUILD_TYPE ", LibTorch " LMTRAIN_TORCH_VERSION;
}

}  // namespace lmtrain
