#include "base/philox.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a wrong constant or round. Known answers of Random123's kat_vectors.
TEST(Philox, MatchesThePublishedAnswers) {
  const auto zeros = philox({0, 0}, {0, 0, 0, 0});
  EXPECT_EQ(zeros, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const auto ones = philox({~0U, ~0U}, {~0U, ~0U, ~0U, ~0U});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

// Defect: vector lanes are ordered differently from the definition, or a part of a row differs from
// the whole row.
TEST(Philox, DropoutOfARowIsTheDefinitionAndIndependentOfItsParts) {
  const PhiloxKey key = purpose_key(7, "test");
  const uint32_t threshold = DropoutRate(0.3).threshold;
  std::vector<uint32_t> row(1000);
  fill_dropout_row<uint32_t>(key, 5, 2, 9, 0, 1000, threshold, 1, row.data());
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t word = philox(key, {i / 8, 5, 2, 9})[i % 8 / 2];
    const uint32_t bits = i % 2 == 0 ? word & 0xFFFF : word >> 16;
    ASSERT_EQ(row[i], bits < threshold ? 0U : 1U) << i;
  }
  std::vector<uint32_t> part(300);
  fill_dropout_row<uint32_t>(key, 5, 2, 9, 360, 300, threshold, 1, part.data());
  for (size_t i = 0; i < 300; ++i) ASSERT_EQ(part[i], row[360 + i]) << i;
}

// Defect: a scale that does not undo the realised probability, so that the expectation drifts.
TEST(Philox, DropoutKeepsTheExpectation) {
  const DropoutRate rate(0.1);
  std::vector<uint32_t> row(1 << 20);
  fill_dropout_row<uint32_t>(purpose_key(1, "x"), 0, 0, 0, 0, 1 << 20, rate.threshold, 1,
                             row.data());
  double kept = 0;
  for (const uint32_t k : row) kept += k;
  EXPECT_NEAR(kept * rate.scale / row.size(), 1.0, 2e-3);
}

// Defect: normals that depend on where a fill starts (a shard would be initialised differently), or
// are not normal.
TEST(Philox, NormalsDoNotDependOnTheStartAndAreNormal) {
  const PhiloxKey key = purpose_key(1, "weights");
  std::vector<double> all(100000);
  fill_normal(key, 0, 100000, all.data());
  for (const int64_t first : {1, 2, 777}) {
    std::vector<double> part(501);
    fill_normal(key, first, 501, part.data());
    for (size_t i = 0; i < part.size(); ++i)
      ASSERT_EQ(part[i], all[static_cast<size_t>(first) + i]);
  }
  double mean = 0;
  double square = 0;
  double fourth = 0;
  for (const double x : all) {
    mean += x / 1e5;
    square += x * x / 1e5;
    fourth += x * x * x * x / 1e5;
  }
  EXPECT_NEAR(mean, 0.0, 0.015);
  EXPECT_NEAR(square, 1.0, 0.02);
  EXPECT_NEAR(fourth, 3.0, 0.15);
}

}  // namespace
}  // namespace lmtrain
