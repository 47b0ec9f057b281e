#include "tests/mpi/mpi_main.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {
Launch* launch_of_tests = nullptr;
}
Launch& mpi_launch() { return *launch_of_tests; }
}  // namespace lmtrain

int main(int argc, char** argv) {
  lmtrain::Launch launch(&argc, &argv);
  lmtrain::launch_of_tests = &launch;
  at::set_num_threads(1);
#ifdef LMTRAIN_TEST_ON_CUDA
  if (!at::hasCUDA()) return 77;  // skipped: no GPU is visible
#endif
  testing::InitGoogleTest(&argc, argv);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (launch.rank() != 0) delete listeners.Release(listeners.default_result_printer());
  at::Tensor failed = at::tensor({int64_t{RUN_ALL_TESTS()}}, at::kLong);
  launch.world().all_reduce(failed, lmtrain::ReduceOp::kMax)->wait();
  if (failed.item<int64_t>() != 0) std::fprintf(stderr, "a rank failed\n");
  return failed.item<int64_t>() == 0 ? 0 : 1;
}
