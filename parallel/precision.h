// In which type a model computes.
#pragma once

#include <string>

#include <c10/core/ScalarType.h>

namespace lmtrain {

// "bf16" -> kBFloat16 and so on.
at::ScalarType compute_type_of(const std::string& precision);

}  // namespace lmtrain
