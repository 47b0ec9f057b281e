#include "parallel/precision.h"

namespace lmtrain {

at::ScalarType compute_type_of(Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return at::kBFloat16;
    case Precision::kFp32:
      return at::kFloat;
    case Precision::kFp64:
      break;
  }
  return at::kDouble;
}

at::ScalarType master_type_of(Precision precision) {
  return precision == Precision::kFp64 ? at::kDouble : at::kFloat;
}

int64_t compute_element_bytes(Precision precision) {
  return static_cast<int64_t>(c10::elementSize(compute_type_of(precision)));
}

int64_t master_element_bytes(Precision precision) {
  return static_cast<int64_t>(c10::elementSize(master_type_of(precision)));
}

}  // namespace lmtrain
