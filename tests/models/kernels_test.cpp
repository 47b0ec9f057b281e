#include <mutex>
#include <set>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "models/gelu.h"
#include "models/kernels/kernels_isa.h"
#include "models/row_sum.h"

namespace lmtrain {
namespace {

std::vector<const CpuKernels*> sets_of_this_processor() {
  std::vector<const CpuKernels*> sets = {&baseline_kernels()};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    sets.push_back(&avx2_kernels());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    sets.push_back(&avx512_kernels());
  return sets;
}

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

#ifdef _OPENMP
// Defect: at::parallel_for is compiled without OpenMP and runs everything on one thread.
TEST(Kernels, UseEveryThread) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  at::parallel_for(0, 2, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 2U);
}
#else
TEST(Kernels, UseEveryThread) { GTEST_SKIP() << "built without OpenMP"; }
#endif

// Defect: the polynomial or the tail of a row is wrong, or bf16 is not rounded to nearest.
TEST(Kernels, GeluAgreesWithDoublePrecision) {
  for (const int64_t count : {1, 15, 16, 17, 1000}) {
    const at::Tensor x = at::linspace(-12, 12, count, at::kFloat);
    const at::Tensor dy = at::linspace(1, 2, count, at::kFloat);
    at::Tensor wide = x.to(at::kDouble).requires_grad_();
    const at::Tensor want = at::gelu(wide, "tanh");
    want.backward(dy.to(at::kDouble));
    for (const CpuKernels* set : sets_of_this_processor()) {
      const at::Tensor y = at::empty_like(x);
      const at::Tensor dx = at::empty_like(x);
      set->gelu.forward_fp32(x.data_ptr<float>(), count, y.data_ptr<float>());
      set->gelu.backward_fp32(x.data_ptr<float>(), dy.data_ptr<float>(), count,
                              dx.data_ptr<float>());
      EXPECT_LE(largest(y - want), 4e-6) << set->instruction_set;
      EXPECT_LE(largest(dx - wide.grad()), 4e-6) << set->instruction_set;
    }
  }
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::linspace(-5, 5, 5000).to(type).view({50, 100}).requires_grad_();
    const at::Tensor y = gelu_tanh(x);
    y.sum().backward();
    at::Tensor wide = x.detach().to(at::kDouble).requires_grad_();
    const at::Tensor want = at::gelu(wide, "tanh");
    want.sum().backward();
    const double eps = type == at::kFloat ? 4e-6 : 1.0 / 256;
    EXPECT_TRUE(at::allclose(y.to(at::kDouble), want, eps, 1e-6)) << type;
    EXPECT_TRUE(at::allclose(x.grad().to(at::kDouble), wide.grad(), eps, 1e-6)) << type;
  }
}

// Defect: columns at the end of a block or vector are lost, or bf16 is summed in bf16.
TEST(Kernels, RowSumsAgreeWithDoublePrecision) {
  for (const int64_t columns : {1, 16, 127, 128, 129, 400}) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const at::Tensor rows = at::randn({333, columns}).to(type);
      const at::Tensor sums = sum_of_rows(rows);
      EXPECT_EQ(sums.scalar_type(), at::kFloat);
      EXPECT_LE(largest(sums - rows.to(at::kDouble).sum(0)), 2e-4) << columns << " " << type;
    }
  }
}

// Defect: one kernel set differs from the others by more than rounding, or the begin or end of a
// row reads a masked key as a score.
TEST(Kernels, EverySetAgreesOnSoftmax) {
  const at::Tensor scores = at::randn({128}, at::kFloat) * 8;
  for (const auto& [first, end] :
       {std::pair{0, 70}, std::pair{16, 64}, std::pair{37, 38}, std::pair{3, 128}}) {
    const at::Tensor seen = scores.narrow(0, first, end - first).to(at::kDouble) * 0.5;
    at::Tensor want = at::zeros({128}, at::kDouble);
    want.narrow(0, first, end - first).copy_(seen.softmax(0));
    for (const CpuKernels* set : sets_of_this_processor()) {
      const at::Tensor weights = at::empty({128}, at::kBFloat16);
      float inverse_sum = 0;
      const float log_sum =
          set->attention.softmax_row({scores.data_ptr<float>(), first, end, 128, 0.5F, nullptr,
                                      static_cast<uint16_t*>(weights.data_ptr()), &inverse_sum});
      const at::Tensor got = weights.to(at::kDouble) * static_cast<double>(inverse_sum);
      const auto at = testing::Message()
                      << set->instruction_set << ", keys " << first << " to " << end;
      EXPECT_LE(largest(got - want), 1.0 / 256) << at;
      EXPECT_TRUE(at::equal(got.eq(0.0), want.eq(0.0))) << at;
      EXPECT_NEAR(log_sum, seen.logsumexp(0).item<double>(), 1e-5) << at;
    }
  }
}

}  // namespace
}  // namespace lmtrain
