#include "parallel/balanced_owners.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: small items are given away first, so that the largest comes on top of a full rank.
TEST(BalancedOwners, TheCostliestGoFirstEachToTheRankWithTheLeast) {
  EXPECT_EQ(balanced_owners({1, 2, 3, 4, 10}, 2), (std::vector<int>{1, 1, 1, 1, 0}));
  EXPECT_EQ(balanced_owners({5, 4, 3, 3, 3}, 2), (std::vector<int>{0, 1, 1, 0, 1}));
}

// Defect: ranks that disagree about equal items, or a rank that gets none while another has two.
TEST(BalancedOwners, EqualItemsGoRoundInTheirOrder) {
  EXPECT_EQ(balanced_owners({1, 1, 1, 1, 1}, 3), (std::vector<int>{0, 1, 2, 0, 1}));
  EXPECT_EQ(balanced_owners({1, 1}, 4), (std::vector<int>{0, 1}));
  EXPECT_TRUE(balanced_owners({}, 2).empty());
}

}  // namespace
}  // namespace lmtrain
