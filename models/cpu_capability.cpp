#include "models/cpu_capability.h"

#include <ATen/Version.h>

#include "base/text.h"
#include "models/blocked_attention.h"
#include "models/kernels/kernels.h"

namespace lmtrain {

std::string cpu_capability() {
  return cat(at::get_cpu_capability(), ", ", cpu_kernels().instruction_set,
             has_blocked_attention() ? ", bf16" : "");
}

}  // namespace lmtrain
