#include "parallel/precision.h"

#include <gtest/gtest.h>

#include "base/choice.h"

namespace lmtrain {
namespace {

// Defect: the names are not in the order of the enumerators, so that a run trains in another
// precision than the config says.
TEST(Precision, GoesByItsName) {
  EXPECT_EQ(choice_of<Precision>("bf16"), Precision::kBf16);
  EXPECT_EQ(choice_of<Precision>("fp32"), Precision::kFp32);
  EXPECT_EQ(choice_of<Precision>("fp64"), Precision::kFp64);
  EXPECT_EQ(choice_of<Precision>("float32"), std::nullopt);
}

// Defect: master weights are bf16, or memory is estimated for another type than is allocated.
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
