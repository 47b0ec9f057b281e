#include "trainer/inference/text_batches.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

using Lengths = std::pair<int64_t, int64_t>;

// Defect: other tokens cut than transformers cuts. The expected lengths are those that its
// tokenizer leaves with truncation="longest_first".
TEST(LongestFirst, CutsAsTransformersDoes) {
  EXPECT_EQ(longest_first(5, 7, 12), Lengths(5, 7));
  EXPECT_EQ(longest_first(5, 9, 12), Lengths(5, 7));
  EXPECT_EQ(longest_first(9, 5, 12), Lengths(7, 5));
  EXPECT_EQ(longest_first(20, 30, 11), Lengths(5, 6));
  EXPECT_EQ(longest_first(30, 20, 11), Lengths(6, 5));
  EXPECT_EQ(longest_first(1, 30, 11), Lengths(1, 10));
  EXPECT_EQ(longest_first(30, 1, 11), Lengths(10, 1));
}

// Defect: a text read twice or never, a batch that is too large or mixes lengths without need.
TEST(InBatches, ReadsEachTextOnceAndLikeLengthsTogether) {
  std::vector<size_t> lengths;
  for (size_t i = 0; i < 1000; ++i) lengths.push_back(i * 7919 % 100);
  std::vector<int> times(lengths.size());
  size_t padded = 0;
  in_batches(lengths, 8, [&](std::span<const size_t> places) {
    ASSERT_LE(places.size(), 8U);
    size_t longest = 0;
    for (const size_t place : places) {
      ++times[place];
      longest = std::max(longest, lengths[place]);
    }
    padded += longest * places.size();
  });
  EXPECT_TRUE(std::ranges::all_of(times, [](int count) { return count == 1; }));
  EXPECT_LT(padded, 54000U);  // 49,500 tokens; without sorting about 88,000
}

}  // namespace
}  // namespace lmtrain
