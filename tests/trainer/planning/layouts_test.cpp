#include "trainer/planning/layouts.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <gtest/gtest.h>

#include "base/text.h"
#include "trainer/config/load_config.h"
#include "trainer/verify/verify.h"

namespace lmtrain {
namespace {

Config recipe(const std::string& name) {
  return load_config(std::filesystem::path(LMTRAIN_SOURCE_DIR) / "configs" / (name + ".yaml"), {})
      .config;
}

const LayoutPlan* find(const std::vector<LayoutPlan>& plans, int64_t tensor, bool sequence,
                       int64_t zero, Recompute recompute = Recompute::kNone) {
  const auto found = std::find_if(plans.begin(), plans.end(), [&](const LayoutPlan& p) {
    return p.parallel.tensor == tensor && p.parallel.sequence == sequence &&
           p.parallel.zero == zero && p.parallel.recompute == recompute;
  });
  return found == plans.end() ? nullptr : &*found;
}

// Defect: a layout that does not fit listed before one that does, or a slower before a faster one.
TEST(Layouts, ThoseThatFitComeFirstAndTheFastestOfThem) {
  const auto plans = plan_layouts(recipe("llama-8b"), 128256, 8, known_machine("h100"));
  ASSERT_TRUE(plans.front().fits);
  ASSERT_FALSE(plans.back().fits);
  for (size_t i = 1; i < plans.size(); ++i) {
    EXPECT_TRUE(plans[i - 1].fits || !plans[i].fits) << i;
    if (plans[i].fits) {
      EXPECT_LE(plans[i - 1].step_seconds(), plans[i].step_seconds()) << i;
    }
  }
  EXPECT_FALSE(find(plans, 1, false, 0)->fits);
  EXPECT_TRUE(find(plans, 1, false, 3, Recompute::kSelective)->fits);  // as the recipe has it
}

// Defect: Muon's products of matrices, or the way of its tensors to their owners, taken for free.
TEST(Layouts, CountTheTimeOfMuon) {
  Config config = recipe("gpt2-small");
  config.train.global_batch_size = 8;
  const MachineSpec machine = cores_of_node(1e12, int64_t{1} << 36, 2);
  const auto updating = [&](OptimizerKind kind, int64_t ranks, int64_t tensor, int64_t zero) {
    config.optimizer.kind = kind;
    return find(plan_layouts(config, 50304, ranks, machine), tensor, false, zero)
        ->optimizer_seconds;
  };
  const double products = 12 * 30 * 10.0 * 768 * 768 * 768 / machine.flops;
  EXPECT_NEAR(updating(OptimizerKind::kMuon, 1, 1, 0) - updating(OptimizerKind::kAdamW, 1, 1, 0),
              products, 1e-9 * products);
  // Of two ranks one has 18 of a block's 30 units of work. Half of a shard, in fp32, goes to the
  // other rank and back; where nothing is sharded, so do the changes of half the matrices, and on
  // the tensor axis half the directions and changes.
  const double hidden = 12.0 * 12 * 768 * 768 * 4;
  const double sent = hidden / 2 / (0.8 * machine.node_bandwidth);
  for (const auto& [tensor, zero] : {std::pair{1, 0}, std::pair{1, 2}, std::pair{2, 0}}) {
    EXPECT_NEAR(updating(OptimizerKind::kMuon, 2, tensor, zero) -
                    updating(OptimizerKind::kAdamW, 2, tensor, zero),
                products * 18 / 30 + sent, 1e-9 * products)
        << tensor << " " << zero;
  }
}

// Defect: bytes of an all-reduce counted once, gradients of each micro-batch forgotten. GPT-2 124M
// has 124,475,904 parameters with V = 50304; four ranks, two micro-batches each.
TEST(Layouts, CountTheBytesOfEachAxis) {
  Config config = recipe("gpt2-small");
  config.train.global_batch_size = 8;
  const auto plans = plan_layouts(config, 50304, 4, cores_of_node(1e12, int64_t{1} << 36, 4));
  const double p = 124475904;
  EXPECT_DOUBLE_EQ(find(plans, 1, false, 0)->data_bytes, 2 * p * 4 * 3 / 4);
  EXPECT_DOUBLE_EQ(find(plans, 1, false, 1)->data_bytes, p * 4 * 3 / 4 + p * 2 * 3 / 4);
  EXPECT_DOUBLE_EQ(find(plans, 1, false, 2)->data_bytes, 2 * p * 4 * 3 / 4 + p * 2 * 3 / 4);
  EXPECT_DOUBLE_EQ(find(plans, 1, false, 3)->data_bytes, 2 * (p * 4 * 3 / 4 + 2 * p * 2 * 3 / 4));
  EXPECT_EQ(find(plans, 1, false, 0)->tensor_bytes, 0);
  // Twelve blocks with four sums of 8 x 1,024 rows of 768 in bf16 on two ranks, and one each at the
  // two ends.
  const double rows = 8.0 / 2 * 1024 * 768 * 2;
  EXPECT_DOUBLE_EQ(find(plans, 2, false, 0)->tensor_bytes, (12 * 4 + 2) * rows);
  EXPECT_GT(find(plans, 2, true, 0)->tensor_bytes, find(plans, 2, false, 0)->tensor_bytes);
}

// Defect: a layout offered that would cut a head in two.
TEST(Layouts, OfferOnlyWhatDivides) {
  Config config = recipe("gpt2-xl");  // 25 heads
  EXPECT_EQ(why_not_tensor(config, 5, false), "");
  EXPECT_EQ(why_not_tensor(config, 2, false),
            "parallel.tensor = 2 does not divide model.num_heads = 25; it may be 1, 5, 25");
  for (const LayoutPlan& plan : plan_layouts(config, 50304, 8, known_machine("a100")))
    EXPECT_EQ(plan.parallel.tensor, 1);
  config.train.global_batch_size = 4;
  EXPECT_TRUE(plan_layouts(config, 50304, 8, known_machine("a100")).empty());
}

// Defect: every GPU is given an H100's links, or a name is found within another's (H200 in GH200).
TEST(Machines, AGpuHasTheLinksOfItsKind) {
  EXPECT_EQ(machine_of_gpu("NVIDIA A100-SXM4-80GB").node_bandwidth,
            known_machine("a100").node_bandwidth);
  EXPECT_EQ(machine_of_gpu("NVIDIA H100 80GB HBM3").node_bandwidth,
            known_machine("h100").node_bandwidth);
  EXPECT_EQ(machine_of_gpu("NVIDIA H200").memory_bandwidth, known_machine("h200").memory_bandwidth);
  const double of_pcie = machine_of_gpu("NVIDIA L40S").node_bandwidth;
  EXPECT_LT(of_pcie, known_machine("a100").node_bandwidth / 4);
  EXPECT_EQ(machine_of_gpu("NVIDIA H100 PCIe").node_bandwidth, of_pcie);
  EXPECT_EQ(machine_of_gpu("NVIDIA GH200 480GB").node_bandwidth, of_pcie);
}

// Defect: a verdict that takes a difference for rounding, or rounding for a difference.
TEST(Verify, JudgesByTheSpreadOfOneRank) {
  LayoutDifference found;
  LayoutDifference spread;
  EXPECT_EQ(judge(found, spread, Precision::kFp32).reason, "equal to the bit");
  found.gradient = 3e-8;
  spread.gradient = 1.1e-8;
  EXPECT_TRUE(judge(found, spread, Precision::kFp32).is_equal);
  spread.gradient = 0.9e-8;
  EXPECT_FALSE(judge(found, spread, Precision::kFp32).is_equal);
  found.gradient = 9e-10;
  EXPECT_TRUE(judge(found, {}, Precision::kFp64).is_equal);
  found.gradient_norm = 1e-6;
  EXPECT_FALSE(judge(found, {}, Precision::kFp64).is_equal);
  found.gradient_norm = 0;
  found.weight = std::nan("");
  EXPECT_FALSE(judge(found, {}, Precision::kFp64).is_equal);
  found = {};
  found.is_same_data = false;
  EXPECT_FALSE(judge(found, {}, Precision::kFp64).is_equal);

  // An update without a bound, such as a sign, may come out otherwise in another layout.
  found = {};
  found.weight = 1.0;
  const double unbounded = std::numeric_limits<double>::infinity();
  found.tensors = {{"sign", 0, 1.0, 1.0, 1.0, unbounded}, {"other", 0, 1e-8, 1.0, 1.0, 1e-3}};
  EXPECT_FALSE(judge(found, {}, Precision::kFp64).is_equal);
  EXPECT_FALSE(judge_each(found, {}, Precision::kFp64).is_equal);
  found.tensors[1].weight = 1e-10;
  EXPECT_TRUE(judge(found, {}, Precision::kFp64).is_equal);
  EXPECT_TRUE(judge_each(found, {}, Precision::kFp64).is_equal);
  found.tensors[0].gradient = found.gradient = 1e-8;
  EXPECT_FALSE(judge(found, {}, Precision::kFp64).is_equal);
  EXPECT_FALSE(judge_each(found, {}, Precision::kFp64).is_equal);
}

// Defect: a small tensor that may be wrong by what is rounding in a large one, weights that may be
// wrong by more than training moves them.
TEST(Verify, JudgesEachTensorByItself) {
  LayoutDifference found;
  found.gradient = 0.01;
  found.tensors = {{"large", 0.01, 0, 1.0, 1.0, 1e-3}, {"small", 1e-5, 0, 1e-3, 1.0, 1e-3}};
  EXPECT_TRUE(judge_each(found, {}, Precision::kBf16).is_equal);
  found.tensors[1].gradient = 1e-4;
  EXPECT_EQ(judge_each(found, {}, Precision::kBf16).reason,
            "gradients of small differ by 1.00e-04, more than 1.56e-05");
  LayoutDifference spread;
  spread.tensors = {{"large"}, {"small", 5e-5, 0}};
  EXPECT_TRUE(judge_each(found, spread, Precision::kBf16).is_equal);
  EXPECT_FALSE(judge_each(found, spread, Precision::kFp32).is_equal);
  EXPECT_FALSE(judge_each(found, spread, Precision::kFp64).is_equal);

  found.tensors[0].weight = 0.01;  // of 1.0, where all steps together can move a weight by 1e-3
  EXPECT_FALSE(judge_each(found, spread, Precision::kBf16).is_equal);
  found.tensors[0].weight = 0.0019;
  EXPECT_TRUE(judge_each(found, spread, Precision::kBf16).is_equal);
  found.loss = 0.02;
  found.loss_size = 10;
  EXPECT_FALSE(judge_each(found, spread, Precision::kBf16).is_equal);
  found.loss = std::nan("");
  EXPECT_FALSE(judge_each(found, spread, Precision::kBf16).is_equal);
}

// Defect: parallel: auto that is not read, or that hides where other keys were given.
TEST(ParallelAuto, IsShortForItsLayout) {
  const LoadedConfig loaded = parse_config("parallel: auto", "c.yaml");
  EXPECT_EQ(loaded.config.parallel.layout, LayoutMode::kAuto);
  EXPECT_EQ(loaded.positions.at("parallel.layout"), "c.yaml:1:11");
  EXPECT_EQ(loaded.positions.at("parallel.zero"), "default");
  EXPECT_THROW(parse_config("parallel: fast", "c.yaml"), ConfigError);
  EXPECT_THROW(parse_config("train: auto", "c.yaml"), ConfigError);
}

}  // namespace
}  // namespace lmtrain
