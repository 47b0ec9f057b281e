#include "data/permutation.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

std::vector<int64_t> order(int64_t size, uint64_t seed, uint64_t epoch) {
  const Permutation permutation(size, seed, epoch);
  std::vector<int64_t> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(permutation(i));
  return values;
}

// Defect: a sample that an epoch visits twice or never.
TEST(Permutation, IsABijectionForEverySize) {
  std::vector<int64_t> sizes = {1000, 1023, 1024, 1025, 65537, 100003};
  for (int64_t size = 1; size <= 300; ++size) sizes.push_back(size);
  for (const int64_t size : sizes) {
    std::vector<bool> seen(static_cast<size_t>(size));
    for (const int64_t value : order(size, 7, 3)) {
      ASSERT_GE(value, 0);
      ASSERT_LT(value, size);
      ASSERT_FALSE(seen[static_cast<size_t>(value)]) << "size " << size;
      seen[static_cast<size_t>(value)] = true;
    }
  }
}

// Defect: every epoch, or every seed, has the same order.
TEST(Permutation, EpochsAndSeedsDiffer) {
  EXPECT_EQ(order(1000, 1, 0), order(1000, 1, 0));
  EXPECT_NE(order(1000, 1, 0), order(1000, 1, 1));
  EXPECT_NE(order(1000, 1, 0), order(1000, 2, 0));
  EXPECT_NE(order(1000, 1, 0), order(1000, 0, 1));
}

// Defect: an order that is not random: each index should go to each place equally often.
TEST(Permutation, PlacesAreUniform) {
  constexpr int64_t kSize = 11;
  constexpr int kEpochs = 11000;
  std::vector<double> counts(kSize * kSize);
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const Permutation permutation(kSize, 5, epoch);
    for (int64_t i = 0; i < kSize; ++i) ++counts[static_cast<size_t>(i * kSize + permutation(i))];
  }
  const double expected = static_cast<double>(kEpochs) / kSize;
  double chi_squared = 0.0;
  for (const double count : counts)
    chi_squared += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi_squared, 180.0);  // 100 degrees of freedom: over 150 has probability 0.001
}

// Defect: neighbours stay neighbours, so that a batch comes from one place of the corpus.
TEST(Permutation, NeighboursAreScattered) {
  constexpr int64_t kSize = 10000;
  const std::vector<int64_t> values = order(kSize, 9, 0);
  double sum = 0.0;
  for (size_t i = 1; i < values.size(); ++i)
    sum += std::abs(static_cast<double>(values[i] - values[i - 1]));
  EXPECT_NEAR(sum / (kSize - 1), kSize / 3.0,
              kSize * 0.01);  // the mean distance of independent places
}

// Defect: 64-bit sizes are cut to 32 bits.
TEST(Permutation, LargeSizesUseTheWholeRange) {
  constexpr int64_t kSize = (int64_t{1} << 40) + 12345;
  const Permutation permutation(kSize, 1, 0);
  int64_t largest = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const int64_t value = permutation(kSize - 1 - i);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, kSize);
    largest = std::max(largest, value);
  }
  EXPECT_GT(largest, kSize / 2);
}

}  // namespace
}  // namespace lmtrain
