// The language-model head over the tensor axis, with more rows than one chunk of logits holds.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/embedding.h"
#include "models/vocab_loss.h"
#include "parallel/gradient_sync.h"
#include "parallel/logical_tensors.h"
#include "parallel/staged_communicator.h"
#include "tests/mpi/mpi_main.h"
#include "tests/test_device.h"

namespace lmtrain {
namespace {

constexpr int64_t kFeatures = 16;
constexpr int64_t kTokens = 61;

struct Outcome {
  double total = 0;
  at::Tensor log_probabilities;
  at::Tensor hidden_gradient;  // of all rows
  at::Tensor table_gradient;
};

Outcome run(const at::Tensor& hidden, const TensorAxis& axis) {
  const auto alone = make_single_communicator();
  ParameterStore store(at::kDouble, kTestDevice);
  ParameterUnit& unit = store.add_unit("head");
  Parameter& table = add_cut_table(store, unit, "table", {kTokens, kTokens}, kFeatures, axis, 0.5,
                                   TableUse::kHead);
  GradientSync sync(store, *alone, *axis.group, {1 << 20, at::kDouble});
  store.allocate(3);
  const auto rows = at::arange(hidden.size(0), at::kLong).to(kTestDevice);
  at::Tensor weights = rows.remainder(5).to(at::kFloat);  // some tokens are left out
  const at::Tensor own = own_rows(hidden, axis).clone().requires_grad_();
  store.begin_step();
  store.begin_micro_batch(/*is_last=*/true);
  const VocabLoss loss =
      VocabHead(table, /*bias=*/nullptr, axis)
          .loss(own, rows.mul(7).remainder(kTokens), weights, {.scale = 0.01, .z_loss = 1e-2});
  store.begin_backward();
  loss.total.backward();
  sync.finish();
  Outcome outcome{
      loss.total.item<double>(), loss.log_probabilities, gather_rows(own.grad(), axis), {}};
  for_each_logical(unit, kGradient, store.sharding(), *axis.group,
                   [&](const Parameter&, const at::Tensor& gradient) {
                     outcome.table_gradient = gradient.clone();
                   });
  return outcome;
}

// Defect: a chunk's gradient is read before its sum over the ranks is complete, or rows go to a
// rank that does not hold them.
TEST(VocabHead, ChunksOfRowsAreTheSameWhereItIsCut) {
  const auto staged = make_staged_communicator(mpi_launch().world());
  Communicator& world = kTestDevice.is_cpu() ? mpi_launch().world() : *staged;
  const auto alone = make_single_communicator();
  const int64_t rows = 2 * rows_of_logits(kTestDevice.is_cpu()) + 8 * world.size();
  at::Tensor hidden = at::arange(rows * kFeatures, at::kDouble).to(kTestDevice).sin_();
  hidden = hidden.view({rows, kFeatures});
  const Outcome one = run(hidden, *alone);
  for (const bool sequence : {false, true}) {
    const Outcome cut = run(hidden, {world, sequence});
    EXPECT_NEAR(cut.total, one.total, 1e-12 * one.total);
    EXPECT_TRUE(at::allclose(cut.log_probabilities, one.log_probabilities, 0, 1e-12));
    EXPECT_TRUE(at::allclose(cut.hidden_gradient, one.hidden_gradient, 0, 1e-12)) << sequence;
    EXPECT_TRUE(at::allclose(cut.table_gradient, one.table_gradient, 0, 1e-11)) << sequence;
  }
}

}  // namespace
}  // namespace lmtrain
