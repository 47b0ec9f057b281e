#include "parallel/precision.h"

#include <gtest/gtest.h>

#include "base/choice.h"

namespace lmtrain {
namespace {

// Defect: names out of the order of the enumerators, which would train in another precision than the
// config says.
TEST(Precision, GoesByItsName) {
  EXPECT_EQ(choice_of<Precision>("bf16"), Precision::kBf16);
  EXPECT_EQ(choice_of<Precision>("fp32"), Precision::kFp32);
  EXPECT_EQ(choice_of<Precision>("fp64"), Precision::kFp64);
  EXPECT_EQ(choice_of<Precision>("float32"), std::nullopt);
}

// Defect: master weights in bf16, or memory estimated for another type than is allocated.
TEST(Precision, KeepsMasterWeightsInFullPrecision) {
  EXPECT_EQ(compute_type_of(Precision::kBf16), at::kBFloat16);
  EXPECT_EQ(master_type_of(Precision::kBf16), at::kFloat);
  EXPECT_EQ(compute_type_of(Precision::kFp32), at::kFloat);
  EXPECT_EQ(master_type_of(Precision::kFp64), at::kDouble);
  EXPECT_EQ(compute_element_bytes(Precision::kBf16), 2);
  EXPECT_EQ(master_element_bytes(Precision::kBf16), 4);
  EXPECT_EQ(compute_element_bytes(Precision::kFp64), 8);
}

}  // namespace
}  // namespace lmtrain
