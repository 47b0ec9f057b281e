// Kernels of the GPU against the host's, and NCCL alone on one GPU.
#include "models/cuda_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "parallel/cuda/nccl_communicator.h"
#include "parallel/parameter_kernels.h"

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
      const auto [largest, sum_exp] = cuda_softmax_statistics(on_gpu, columns);
      EXPECT_TRUE(at::equal(largest.cpu().to(at::kDouble), real.amax(1))) << type << width;
      const at::Tensor log_sum = real.logsumexp(1);
      const at::Tensor found = sum_exp.cpu().to(at::kDouble).log() + real.amax(1);
      EXPECT_LT((found - log_sum).abs().max().item<double>(), 2e-6) << type << width;

      const at::Tensor labels = at::arange(5, at::kLong).mul(7).remainder(columns);
      const at::Tensor factor = at::arange(5, at::kDouble).add(0.5);
      at::Tensor want = at::zeros({5, width}, at::kDouble);
      want.narrow(1, 0, columns)
          .copy_(real.sub(log_sum.unsqueeze(1)).exp().mul(factor.unsqueeze(1)));
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
  EXPECT_TRUE(std::isnan(cuda_softmax_statistics(broken.cuda(), 100).sum_exp[1].item<float>()));
  EXPECT_TRUE(std::isfinite(cuda_softmax_statistics(broken.cuda(), 100).sum_exp[0].item<float>()));
}

// Defect: a row or column that is left out or counted twice, where shapes are no multiples of what
// a block takes; numbers of another row's statistics.
TEST(CudaColumnSums, AreThoseOfTheDefinition) {
  for (const at::ScalarType type : kTypes) {
    for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {3, 40}, {1000, 768}, {5000, 37}, {9, 2304}}) {
      const at::Tensor dy = numbers({rows, columns}, type);
      const at::Tensor x = numbers({rows, columns}, type).flip(0).contiguous();
      const auto statistic = type == at::kDouble ? at::kDouble : at::kFloat;
      const at::Tensor mean = numbers({rows, 1}, statistic);
      const at::Tensor rstd = numbers({rows, 1}, statistic).abs();
      const at::Tensor wide = dy.to(at::kDouble);
      const at::Tensor sums = wide.sum(0);
      const at::Tensor products = (wide * (x.to(at::kDouble) - mean) * rstd).sum(0);
      const double tolerance = (type == at::kDouble ? 1e-11 : 2e-4) * std::sqrt(rows);
      const NormGradients found =
          cuda_norm_gradients(dy.cuda(), x.cuda(), mean.cuda(), rstd.cuda());
      const auto error = [](const at::Tensor& got, const at::Tensor& want) {
        return (got.cpu().to(at::kDouble) - want).abs().max().item<double>();
      };
      EXPECT_LT(error(found.bias, sums), tolerance) << type << rows << "x" << columns;
      EXPECT_LT(error(found.weight, products), tolerance) << type << rows << "x" << columns;
      EXPECT_TRUE(at::equal(cuda_sum_of_rows(dy.cuda()), found.bias));
    }
  }
}

// Defect: rows of an id that is frequent or the last one left out, an id given another's rows.
TEST(CudaAddRows, AddsEachRowOnce) {
  for (const at::ScalarType type : kTypes) {
    const auto statistic = type == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor rows = numbers({3000, 70}, type);
    const at::Tensor ids =
        at::arange(3000, at::kLong).mul(at::arange(3000, at::kLong)).remainder(97);
    const at::Tensor table = numbers({101, 70}, statistic);
    const at::Tensor want = table.to(at::kDouble).index_add(0, ids, rows.to(at::kDouble));
    const at::Tensor found = table.cuda();
    cuda_add_rows(found, ids.cuda(), rows.cuda());
    const double tolerance = type == at::kDouble ? 1e-11 : 2e-4;
    EXPECT_LT((found.cpu().to(at::kDouble) - want).abs().max().item<double>(), tolerance) << type;
  }
}

// Defect: a tail that is left out.
TEST(CudaSumOfSquares, IsThatOfTheDefinition) {
  for (const int64_t count : {1, 255, 1000003}) {
    const at::Tensor x = numbers({count}, at::kFloat);
    const double want = x.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(cuda_sum_of_squares(x.cuda()).item<double>(), want, 1e-9 * want);
  }
}

// Defect: a training step on the GPU that differs from run to run.
TEST(CudaKernels, RepeatToTheBit) {
  const at::Tensor logits = numbers({300, 50304}, at::kBFloat16).cuda();
  const at::Tensor once = cuda_softmax_statistics(logits, 50257).sum_exp;
  EXPECT_TRUE(at::equal(once, cuda_softmax_statistics(logits, 50257).sum_exp));
  EXPECT_TRUE(at::equal(cuda_sum_of_rows(logits), cuda_sum_of_rows(logits)));
  const at::Tensor ids = at::arange(300, at::kLong).remainder(7).cuda();
  const auto added = [&] {
    const at::Tensor table = at::zeros({7, 50304}, logits.options().dtype(at::kFloat));
    cuda_add_rows(table, ids, logits);
    return table;
  };
  EXPECT_TRUE(at::equal(added(), added()));
}

// Defect: an NCCL call that is refused, a result read before it is there. One rank: several need as
// many GPUs.
TEST(Nccl, OneRankDoesEveryOperation) {
  const auto host = make_single_communicator();
  const auto nccl = make_nccl_communicator(
      *host, 0, [](const std::string& failure) { ADD_FAILURE() << failure; });
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
  EXPECT_EQ(nccl->split(0, "data")->size(), 1);
}

}  // namespace
}  // namespace lmtrain
