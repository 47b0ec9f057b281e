// The number types in which a run computes and optimises (train.precision). Jobs turn kAuto into
// one of the others when they start; the functions below refuse it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace lmtrain {

enum class Precision { kBf16, kFp32, kFp64, kAuto };
constexpr auto choice_names(Precision) {
  return std::to_array<std::string_view>({"bf16", "fp32", "fp64", "auto"});
}

// The type that layers compute with, and the type of master weights, gradients and moments.
at::ScalarType compute_type_of(Precision precision);
at::ScalarType master_type_of(Precision precision);

// The bytes of one element of either type.
int64_t compute_element_bytes(Precision precision);
int64_t master_element_bytes(Precision precision);

}  // namespace lmtrain
