#include "parallel/parameter_store.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace lmtrain {
namespace {

ParameterSpec spec(const std::string& name, std::vector<int64_t> shape, bool decays = true) {
  ParameterSpec spec;
  spec.name = name;
  spec.logical_shape = std::move(shape);
  spec.weight_decay = decays;
  return spec;
}

// Defect: parameters share a cache line, or one with weight decay stands among those without.
TEST(ParameterStore, LaysOutAlignedBuffersWithDecayedParametersFirst) {
  ParameterStore store(at::kBFloat16, at::kCPU);
  ParameterUnit& unit = store.add_unit("unit");
  const Parameter& bias = store.add(unit, spec("bias", {5}, false));
  const Parameter& weight = store.add(unit, spec("weight", {7, 10}));
  store.allocate(1);
  EXPECT_EQ(bias.offset(), 128);
  EXPECT_EQ(unit.numel(), 192);
  EXPECT_EQ(weight.master().data_ptr(), unit.master().data_ptr());
  EXPECT_EQ(bias.gradient().data_ptr<float>() - unit.gradient().data_ptr<float>(), 128);
  EXPECT_EQ(weight.weight().scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(weight.weight(), weight.master().to(at::kBFloat16)));
  EXPECT_EQ(store.num_logical_elements(), 75);
}

// Defect: initial weights depend on the order of parameters or on how a tensor is cut or padded, or
// do not depend on the seed.
TEST(ParameterStore, DrawsTheSameWeightsWhateverTheLayout) {
  const auto draw = [](uint64_t seed, int64_t rows, int64_t shard, int num_shards, int dim) {
    ParameterStore store(at::kFloat, at::kCPU);
    ParameterUnit& unit = store.add_unit("unit");
    store.add(unit, spec("another", {3, shard + 1}));
    ParameterSpec table = spec("table", {10, 6});
    table.padded_shape = {rows, 6};
    table.shard_dim = dim;
    table.shard_index = static_cast<int>(shard);
    table.num_shards = num_shards;
    const Parameter& parameter = store.add(unit, table);
    store.allocate(seed);
    return parameter.master().clone();
  };
  const at::Tensor whole = draw(5, 10, 0, 1, 0);
  EXPECT_FALSE(at::equal(whole, draw(6, 10, 0, 1, 0)));
  const at::Tensor padded = draw(5, 12, 0, 1, 0);
  EXPECT_TRUE(at::equal(padded.narrow(0, 0, 10), whole));
  EXPECT_EQ(padded.narrow(0, 10, 2).abs().max().item<float>(), 0.0F);
  EXPECT_TRUE(at::equal(at::cat({draw(5, 12, 0, 2, 0), draw(5, 12, 1, 2, 0)}), padded));
  EXPECT_TRUE(at::equal(
      at::cat({draw(5, 10, 0, 3, 1), draw(5, 10, 1, 3, 1), draw(5, 10, 2, 3, 1)}, 1), whole));
}

// Defect: a gradient of the previous step stays, or that of a micro-batch is lost.
TEST(ParameterStore, SumsGradientsOverTheMicroBatchesOfAStep) {
  ParameterStore store(at::kFloat, at::kCPU);
  Parameter& table = store.add(store.add_unit("unit"), spec("table", {3, 2}));
  store.allocate(1);
  for (int step = 0; step < 2; ++step) {
    store.begin_step();
    table.add_gradient_at(at::tensor({2, 0, 2}, at::kLong), at::ones({3, 2}));
    table.add_gradient(at::ones({3, 2}));
    EXPECT_TRUE(at::equal(table.gradient(),
                          at::tensor({2.0F, 1.0F, 3.0F}).view({3, 1}) * at::ones({3, 2})));
  }
}

// Defect: a unit is reduced before the second use of a tied weight, before the last micro-batch, or
// twice.
TEST(ParameterStore, AnnouncesAUnitWhenAllUsesOfTheLastMicroBatchReported) {
  ParameterStore store(at::kFloat, at::kCPU);
  ParameterUnit& unit = store.add_unit("unit");
  ParameterSpec tied = spec("tied", {2, 2});
  tied.uses_per_micro_batch = 2;
  Parameter& table = store.add(unit, tied);
  Parameter& bias = store.add(unit, spec("bias", {2}, false));
  store.allocate(1);
  int announced = 0;
  store.on_unit_ready = [&](ParameterUnit&) { ++announced; };
  store.begin_step();
  for (const bool is_last : {false, true}) {
    store.begin_micro_batch(is_last);
    table.report_use();
    bias.report_use();
    EXPECT_EQ(announced, 0);
    table.report_use();
    EXPECT_EQ(announced, is_last ? 1 : 0);
  }
  EXPECT_THROW(table.report_use(), c10::Error);
}

}  // namespace
}  // namespace lmtrain
