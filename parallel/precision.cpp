#include "parallel/precision.h"

namespace lmtrain {

at::ScalarType compute_type_of(const std::string& precision) {
  if (precision == "fp64") return at::kDouble;
  return precision == "fp32" ? at::kFloat : at::kBFloat16;
}

}  // namespace lmtrain
