#include "parallel/precision.h"

#include <stdexcept>

namespace lmtrain {

at::ScalarType compute_type_of(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return at::kBFloat16;
    case Precision::kFp32:
      return at::kFloat;
    case Precision::kFp64:
      return at::kDouble;
    case Precision::kAuto:
      break;
  }
  throw std::logic_error("train.precision = auto was not resolved");
}

at::ScalarType master_type_of(Precision precision) {
  return compute_type_of(precision) == at::kDouble ? at::kDouble : at::kFloat;
}

int64_t compute_element_bytes(Precision precision) {
  return static_cast<int64_t>(c10::elementSize(compute_type_of(precision)));
}

int64_t master_element_bytes(Precision precision) {
  return static_cast<int64_t>(c10::elementSize(master_type_of(precision)));
}

}  // namespace lmtrain
