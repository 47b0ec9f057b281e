// The names of operations, at 1, 2 and 4 ranks.
#include "parallel/operation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/mpi/mpi_main.h"

namespace lmtrain {
namespace {

Communicator& world() { return mpi_launch().world(); }

// Defect: messages from rank to rank, of which ranks have different numbers, shift the numbers of
// collectives, or a size is missing or made up.
TEST(Operation, IsNamedByWhatWhereAndItsNumber) {
  OperationCounter counter("tensor");
  EXPECT_EQ(to_text(counter.next(OperationKind::kAllReduce, 3 << 20)),
            "all_reduce 1 on axis tensor (3.0 MiB)");
  EXPECT_EQ(to_text(counter.next(OperationKind::kSend, 8)), "send 1 on axis tensor (8 B)");
  EXPECT_EQ(to_text(counter.next(OperationKind::kBarrier)), "barrier 2 on axis tensor");
  EXPECT_EQ(to_text(counter.next(OperationKind::kRecv, 8)), "recv 2 on axis tensor (8 B)");
}

// Defect: the message of a hang does not say which operation of which group the others never
// reached.
TEST(Operation, IsNamedByTheRankThatWaitsInVain) {
  if (world().size() == 1) GTEST_SKIP() << "one rank waits for nobody";
  const auto group = world().split(0, "tensor");
  const at::Tensor value = at::ones({3}, at::kFloat);
  group->all_reduce(value, ReduceOp::kSum)->wait();
  if (world().rank() == 0) {
    world().set_timeout(0.2);
    try {
      group->barrier();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kHang);
      const std::string said = error.what();
      EXPECT_EQ(said.rfind("waited more than 0.2 s in barrier 2 on axis tensor for", 0), 0) << said;
      EXPECT_NE(said.find("parallel.timeout_seconds"), std::string::npos) << said;
    }
    world().set_timeout(0);
  }
  world().barrier();
  if (world().rank() != 0) group->barrier();  // rank 0 has entered this one already
  world().barrier();
}

}  // namespace
}  // namespace lmtrain
