// Groups whose ranks compare their calls, at 1, 2 and 4 ranks.
#include "parallel/checked_communicator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "parallel/mesh.h"
#include "tests/mpi/mpi_main.h"

namespace lmtrain {
namespace {

Communicator& world() { return mpi_launch().world(); }

std::unique_ptr<Communicator> checked_group() {
  return make_checked_communicator(world().split(0, "data"), world().split(0, "data check"),
                                   "data");
}

// Returns the error that this rank gets when it makes the call.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

bool is_last() { return world().rank() == world().size() - 1; }
std::string last_rank() { return std::to_string(world().size() - 1); }

// Defect: ranks in different operations hang or take each other's bytes for their own, or a rank is
// not told.
TEST(CheckedCommunicator, NamesRanksThatCallDifferentOperations) {
  if (world().size() == 1) GTEST_SKIP() << "one rank differs from nobody";
  const auto group = checked_group();
  const int64_t size = world().size();
  const at::Tensor whole = at::ones({512 * size}, at::kFloat);
  const at::Tensor part = at::empty({512}, at::kFloat);
  group->all_reduce(whole, ReduceOp::kSum)->wait();
  const std::string told = error_of([&] {
    if (is_last()) group->reduce_scatter(part, whole)->wait();
    if (!is_last()) group->all_reduce(at::ones({1024}, at::kFloat), ReduceOp::kSum)->wait();
  });
  const std::string elements = size == 2 ? "1,024" : "2,048";
  EXPECT_EQ(told,
            "collective 2 on axis data differs: "
            "rank 0 calls all_reduce of 1,024 float elements, rank " +
                last_rank() + " calls reduce_scatter of " + elements + " float elements");
  EXPECT_EQ(error_of([&] {
              if (is_last()) group->barrier();
              if (!is_last()) group->split(0, "other");
            }),
            "collective 3 on axis data differs: rank 0 calls split, rank " + last_rank() +
                " calls barrier");
}

// Defect: tensors of unlike sizes or types, roots or kinds of reduction are combined into nonsense.
TEST(CheckedCommunicator, NamesTensorsAndOptionsThatDiffer) {
  if (world().size() == 1) GTEST_SKIP() << "one rank differs from nobody";
  const auto group = checked_group();
  const auto differs = [&](const std::string& first, const std::string& last) {
    return "differs: rank 0 calls " + first + ", rank " + last_rank() + " calls " + last;
  };
  const auto end_of = [](const std::string& text) { return text.substr(text.find("differs")); };
  EXPECT_EQ(end_of(error_of([&] {
              group->all_reduce(at::ones({is_last() ? 8 : 7}, at::kLong), ReduceOp::kSum)->wait();
            })),
            differs("all_reduce of 7 long elements", "all_reduce of 8 long elements"));
  EXPECT_EQ(end_of(error_of([&] {
              const at::ScalarType type = is_last() ? at::kBFloat16 : at::kFloat;
              group->all_gather(at::ones({world().size()}, type), at::ones({1}, type))->wait();
            })),
            differs("all_gather of " + std::to_string(world().size()) + " float elements",
                    "all_gather of " + std::to_string(world().size()) + " bfloat16 elements"));
  EXPECT_EQ(end_of(error_of(
                [&] { group->broadcast(at::ones({1}, at::kDouble), is_last() ? 1 : 0)->wait(); })),
            differs("broadcast of 1 double element from rank 0",
                    "broadcast of 1 double element from rank 1"));
  EXPECT_EQ(
      end_of(error_of([&] {
        const ReduceOp op = is_last() ? ReduceOp::kMax : ReduceOp::kSum;
        group->all_reduce(at::ones({2}, at::kFloat), op)->wait();
      })),
      differs("all_reduce of 2 float elements", "all_reduce of 2 float elements for the maximum"));
}

// Defect: the check changes what an operation does or stops ranks that agree, or groups of a mesh
// or split from a checked group are not checked.
TEST(CheckedCommunicator, DoesWhatItsGroupDoesWhereRanksAgree) {
  Mesh plain(world(), world(), 1);
  Mesh checked(world(), world(), 1, /*check=*/true);
  const auto split = checked.data().split(world().rank() % 2, "parity");
  const int rank = world().rank();
  const int size = world().size();
  EXPECT_EQ(checked.data().name(), size == 1 ? "single" : "checked mpi");
  EXPECT_EQ(checked.host_data().name(), size == 1 ? "single" : "checked mpi");
  EXPECT_EQ(checked.tensor().name(), "single");
  EXPECT_EQ(split->name(), size < 4 ? "single" : "checked mpi");

  const at::Tensor input = at::arange(6 * size, at::kFloat).add(rank).cos();
  const auto results_of = [&](Communicator& group) {
    const at::Tensor sum = input.clone();
    const at::Tensor part = at::empty({6}, at::kFloat);
    const at::Tensor all = at::empty({6 * size}, at::kFloat);
    const at::Tensor told = input.clone();
    const WorkPtr summing = group.all_reduce(sum, ReduceOp::kSum);
    group.reduce_scatter(part, input)->wait();
    summing->wait();
    group.all_gather(all, part)->wait();
    group.broadcast(told, size - 1)->wait();
    group.barrier();
    if (size > 1 && rank == 0) group.send(sum, 1)->wait();
    if (size > 1 && rank == 1) group.recv(told, 0)->wait();
    return at::stack({sum, all, told});
  };
  EXPECT_TRUE(at::equal(results_of(checked.data()), results_of(plain.data())));
}

// A group whose other rank never comes.
class LoneCommunicator : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  std::string name() const override { return "lone"; }
  WorkPtr all_reduce(at::Tensor, ReduceOp) override { return in_vain(); }
  WorkPtr reduce_scatter(at::Tensor, at::Tensor) override { return in_vain(); }
  WorkPtr all_gather(at::Tensor, at::Tensor) override { return in_vain(); }
  WorkPtr broadcast(at::Tensor, int) override { return in_vain(); }
  WorkPtr send(at::Tensor, int) override { return in_vain(); }
  WorkPtr recv(at::Tensor, int) override { return in_vain(); }
  void barrier() override { in_vain(); }
  std::unique_ptr<Communicator> split(int, const std::string&) override {
    return std::make_unique<LoneCommunicator>();
  }

 private:
  static WorkPtr in_vain() { throw Error(ExitCode::kHang, "waited in vain"); }
};

// Defect: a rank that waits in the comparison cannot say for what it waits.
TEST(CheckedCommunicator, NamesTheCallThatOthersNeverMake) {
  const auto group = make_checked_communicator(std::make_unique<LoneCommunicator>(),
                                               std::make_unique<LoneCommunicator>(), "data");
  EXPECT_EQ(error_of([&] { group->all_reduce(at::ones({3}, at::kFloat), ReduceOp::kSum); }),
            "before collective 1 on axis data, all_reduce of 3 float elements: waited in vain");
}

}  // namespace
}  // namespace lmtrain
