#include "parallel/typed_gather.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/mpi/mpi_main.h"

namespace lmtrain {
namespace {

struct Reading {
  int64_t rank = -1;
  double value = 0;
  uint64_t hash = 0;
};

Reading reading_of(int rank) {
  return {rank, 1.0 / (rank + 3),
          std::numeric_limits<uint64_t>::max() - static_cast<uint64_t>(rank)};
}

void expect_reading(const Reading& found, int rank) {
  EXPECT_EQ(found.rank, rank);
  EXPECT_EQ(found.value, 1.0 / (rank + 3));
  EXPECT_EQ(found.hash, reading_of(rank).hash);
}

Communicator& world() { return mpi_launch().world(); }

// Defect: a rank's struct arrives in another's place, a member gets another member's word, or a
// double is rounded.
TEST(TypedGather, GivesTheStructsOfAllRanksInOrder) {
  const std::vector<Reading> all = gather_all(world(), reading_of(world().rank()));
  ASSERT_EQ(all.size(), static_cast<size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank)
    expect_reading(all[static_cast<size_t>(rank)], rank);
}

// Defect: rows begin within the head's words, lists of different ranks are mixed, or a list without
// rows, whose message is the head alone, fails.
TEST(TypedGather, KeepsEachRanksRowsBehindItsHead) {
  for (const int count : {0, 1, 3}) {
    std::vector<Reading> mine;
    for (int i = 0; i < count; ++i) mine.push_back(reading_of(10 * world().rank() + i));
    const auto all = gather_all(world(), int64_t{world().rank()}, mine);
    ASSERT_EQ(all.size(), static_cast<size_t>(world().size()));
    for (int rank = 0; rank < world().size(); ++rank) {
      const auto& [head, rows] = all[static_cast<size_t>(rank)];
      EXPECT_EQ(head, rank);
      ASSERT_EQ(rows.size(), static_cast<size_t>(count));
      for (int i = 0; i < count; ++i) expect_reading(rows[static_cast<size_t>(i)], 10 * rank + i);
    }
  }
}

// Defect: a non-finite value arrives as another one, so that ranks disagree on it.
TEST(TypedGather, CarriesNumbersThatAreNotFinite) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> all =
      gather_all(world(), world().rank() == 0 ? std::nan("") : -kInfinity);
  EXPECT_TRUE(std::isnan(all[0]));
  for (size_t rank = 1; rank < all.size(); ++rank) EXPECT_EQ(all[rank], -kInfinity);
}

// Defect: each rank keeps its own value, or gets that of rank 0 whatever the root is.
TEST(TypedGather, BroadcastsTheRootsStruct) {
  const int last = world().size() - 1;
  expect_reading(broadcast_from(world(), last, reading_of(world().rank())), last);
}

// Defect: values arrive incomplete or in another order.
TEST(TypedGather, SendsAListToOneRank) {
  const int last = world().size() - 1;
  if (last == 0) return;
  if (world().rank() == last) send_to<Reading>(world(), 0, {reading_of(7), reading_of(8)});
  if (world().rank() != 0) return;
  const std::vector<Reading> found = receive_from<Reading>(world(), last, 2);
  ASSERT_EQ(found.size(), 2U);
  expect_reading(found[0], 7);
  expect_reading(found[1], 8);
}

}  // namespace
}  // namespace lmtrain
