// Kernels of the GPU against the host's, and NCCL alone on one GPU.
#include "models/cuda_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/vocab_loss.h"
#include "models/embedding.h"
#include "parallel/cuda/nccl_communicator.h"

namespace lmtrain {
namespace {

constexpr at::ScalarType kTypes[] = {at::kBFloat16, at::kFloat, at::kDouble};

at::Tensor numbers(at::IntArrayRef shape, at::ScalarType type) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
  return at::randn(shape, generator, at::kDouble).to(type);
}

// Defect: other elements dropped than on the host, in rows whose length is no multiple of a
// counter's eight, for samples beyond 2^32, in heads that do not start at 0.
TEST(CudaDropout, DropsWhatTheHostDrops) {
  for (const at::ScalarType type : kTypes) {
    for (const int64_t features : {1, 7, 8, 40, 129}) {
      const DropoutContext context = {0.3, 11, 5, {3, (int64_t{1} << 33) + 4}};
      const at::Tensor x = numbers({2, 5, features}, type);
      EXPECT_TRUE(at::equal(dropout(x.cuda(), context, 9).cpu(), dropout(x, context, 9)))
          << type << " " << features;
      const at::Tensor p = numbers({2, 3, 5, features}, type);
      EXPECT_TRUE(at::equal(attention_dropout(p.cuda(), {context, 2, 6}).cpu(),
                            attention_dropout(p, {context, 2, 6})));
    }
  }
}

// Defect: a maximum that misses the row's tail or a NaN, padded columns that take part, an
// exponential that overflows.
TEST(CudaCrossEntropy, StatisticsAndGradientsAreThoseOfTheDefinition) {
  for (const at::ScalarType type : kTypes) {
    for (const auto& [width, columns] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {37, 31}, {64, 64}, {50304, 50257}, {4096, 1}}) {
      const at::Tensor logits = numbers({5, width}, type).mul_(20);
      const at::Tensor wide = logits.to(at::kDouble);
      const at::Tensor real = wide.narrow(1, 0, columns);
      const at::Tensor on_gpu = logits.cuda();
      const at::Tensor largest = cuda_row_max(on_gpu, columns);
      EXPECT_TRUE(at::equal(largest.cpu().to(at::kDouble), real.amax(1))) << type << width;
      const at::Tensor sums = cuda_row_sum_exp(on_gpu, columns, largest).to(at::kDouble);
      const at::Tensor log_sum = real.logsumexp(1);
      EXPECT_LT((sums.log().cpu() + real.amax(1) - log_sum).abs().max().item<double>(), 2e-6);

      const at::Tensor labels = at::arange(5, at::kLong).mul(7).remainder(columns);
      const at::Tensor factor = at::arange(5, at::kDouble).add(0.5);
      at::Tensor want = at::zeros({5, width}, at::kDouble);
      want.narrow(1, 0, columns).copy_(
          real.sub(log_sum.unsqueeze(1)).exp().mul(factor.unsqueeze(1)));
      want.scatter_add_(1, labels.unsqueeze(1), factor.neg().unsqueeze(1));
      const auto statistic = largest.options();
      cuda_loss_gradient_in_place(on_gpu, columns, log_sum.to(statistic), factor.to(statistic),
                                  labels.cuda(), factor.to(statistic));
      const double tolerance = type == at::kBFloat16 ? 0.02 : type == at::kFloat ? 2e-5 : 1e-12;
      EXPECT_LT((on_gpu.cpu().to(at::kDouble) - want).abs().max().item<double>(), tolerance)
          << type << width;
    }
  }
  at::Tensor broken = numbers({2, 100}, at::kFloat);
  broken[1][70] = std::nan("");
  EXPECT_TRUE(std::isnan(cuda_row_max(broken.cuda(), 100)[1].item<float>()));
}

// Defect: a training step on the GPU that differs from run to run.
TEST(CudaCrossEntropy, RepeatsToTheBit) {
  const at::Tensor logits = numbers({300, 50304}, at::kBFloat16).cuda();
  const at::Tensor shift = cuda_row_max(logits, 50257);
  EXPECT_TRUE(at::equal(cuda_row_sum_exp(logits, 50257, shift), cuda_row_sum_exp(logits, 50257, shift)));
}

// Defect: an NCCL call that is refused, a result read before it is there. One rank: several need as
// many GPUs.
TEST(Nccl, OneRankDoesEveryOperation) {
  const auto host = make_single_communicator();
  const auto nccl = make_nccl_communicator(*host, 0);
  EXPECT_EQ(nccl->size(), 1);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kLong}) {
    const at::Tensor x = numbers({1000}, at::kFloat).mul(100).to(type).cuda();
    at::Tensor y = x.clone();
    nccl->all_reduce(y, ReduceOp::kSum)->wait();
    nccl->all_reduce(y, ReduceOp::kMax)->wait();
    nccl->broadcast(y, 0)->wait();
    EXPECT_TRUE(at::equal(x, y));
    const at::Tensor part = at::empty_like(x);
    nccl->reduce_scatter(part, x)->wait();
    const at::Tensor whole = at::empty_like(x);
    nccl->all_gather(whole, part)->wait();
    EXPECT_TRUE(at::equal(x, whole));
  }
  nccl->barrier();
  EXPECT_EQ(nccl->split(0)->size(), 1);
}

}  // namespace
}  // namespace lmtrain
