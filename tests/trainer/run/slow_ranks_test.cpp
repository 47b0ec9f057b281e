#include "trainer/run/slow_ranks.h"

#include <gtest/gtest.h>

#include "energy/meters/clock_limits.h"

namespace lmtrain {
namespace {

// Steps of 100 ms on each rank, one of them so many times as slow.
std::vector<RankSpeed> speeds(size_t ranks, size_t slow, double times, double stolen = 0) {
  std::vector<RankSpeed> all(ranks, {0.1, 0});
  all[slow] = {0.1 * times, stolen};
  return all;
}

// Defect: a slow rank is found late, with another's number, or again at each step.
TEST(SlowRanks, AreNamedOnceWithin20Steps) {
  for (const size_t ranks : {2, 3, 16}) {
    SlowRanks slow;
    for (int step = 0; step < 30; ++step) EXPECT_TRUE(slow.add(speeds(ranks, 0, 1.0)).empty());
    std::vector<SlowRanks::Finding> found;
    int step = 0;
    while (found.empty() && step < 20) {
      found = slow.add(speeds(ranks, 1, 1.5, 0.2));
      ++step;
    }
    ASSERT_EQ(found.size(), 1U) << ranks << " ranks";
    EXPECT_EQ(found[0].rank, 1U);
    EXPECT_DOUBLE_EQ(found[0].others_seconds, 0.1);
    EXPECT_NEAR(found[0].seconds, 0.15, 1e-12);
    EXPECT_GT(found[0].stolen_share, 0.05);
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(slow.add(speeds(ranks, 1, 1.5)).empty());
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(slow.add(speeds(ranks, 1, 1.0)).empty());
    found.clear();
    for (int i = 0; i < 20 && found.empty(); ++i) found = slow.add(speeds(ranks, 1, 1.5));
    EXPECT_EQ(found.size(), 1U) << "slow again";
  }
}

// Defect: single slow steps, small differences and a lone rank give warnings.
TEST(SlowRanks, NoiseIsNotNamed) {
  SlowRanks slow;
  for (int step = 0; step < 100; ++step)
    EXPECT_TRUE(
        slow.add(speeds(4, static_cast<size_t>(step % 4), step % 3 == 0 ? 3.0 : 1.1)).empty());
  SlowRanks short_steps;
  for (int step = 0; step < 50; ++step)
    EXPECT_TRUE(short_steps.add({{0.001, 0}, {0.003, 0}}).empty());
  SlowRanks alone;
  for (int step = 0; step < 50; ++step) EXPECT_TRUE(alone.add({{0.5, 0.5}}).empty());
}

// Defect: a GPU that is held down by heat is not named, named at each step, or named for the cap
// that its owner has set.
TEST(SlowRanks, GpusThatAreHeldDownAreNamedOnce) {
  SlowRanks ranks;
  size_t found = 0;
  for (int step = 0; step < 40; ++step) {
    ranks.add({{0.1, 0, kPowerCap}, {0.1, 0, 0x40 | kPowerCap}});
    for (const SlowRanks::HeldDown& one : ranks.held_down()) {
      ++found;
      EXPECT_EQ(one.rank, 1U);
      EXPECT_EQ(clock_limits_text(one.clock_limits), "heat");
    }
  }
  EXPECT_EQ(found, 1U);
}

TEST(StolenTime, IsAShare) {
  StolenTime stolen;
  EXPECT_EQ(stolen.share(), 0);
  EXPECT_GE(stolen.share(), 0);
  EXPECT_LE(stolen.share(), 1);
}

}  // namespace
}  // namespace lmtrain
