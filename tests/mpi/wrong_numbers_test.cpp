// Ranks that compute or keep something wrong: replicas that drift apart, a step that is not the
// same when it is computed twice.
#include <bit>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "parallel/gradient_sync.h"
#include "tests/mpi/mpi_main.h"
#include "tests/mpi/sharded_model.h"
#include "trainer/step/replay.h"
#include "trainer/step/replica_drift.h"

namespace lmtrain {
namespace {

void flip_a_bit(const at::Tensor& tensor) {
  auto& value = *static_cast<float*>(tensor.mutable_data_ptr());
  value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ 1U);
}

// What require_no_drift says; "" where it finds nothing.
std::string drift(Sharded& model) {
  try {
    require_no_drift(model.store(), model.mesh(), 7);
    return "";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::kNumeric);
    return error.what();
  }
}

void expect_rank_1_is_named(const std::string& finding, const std::string& tensor) {
  EXPECT_NE(finding.find(tensor), std::string::npos) << finding;
  EXPECT_NE(finding.find("rank 1 on"), std::string::npos) << finding;
  if (mpi_launch().size() > 2) {
    EXPECT_NE(finding.find("differs from that of the others on rank 1"), std::string::npos)
        << finding;
  }
}

const Parameter& parameter_of(ParameterStore& store, bool is_cut, const std::string& state) {
  for (const Parameter* parameter : store.parameters()) {
    if (parameter->spec().is_cut() == is_cut && (state.empty() || parameter->has_state(state)) &&
        parameter->span_in_shard().count > 0)
      return *parameter;
  }
  throw std::logic_error("no such parameter");
}

// Defect: replicas that are alike are called different, in any layout.
TEST(ReplicaDrift, FindsNothingWhereNothingIs) {
  for (const Layout& layout : all_layouts()) {
    Sharded model(tiny("gpt2"), layout, 3);
    EXPECT_EQ(drift(model), "") << layout.tensor << " " << layout.zero;
  }
}

// Defect: a flipped bit of one rank's weights or state is not found, or another rank is named.
TEST(ReplicaDrift, NamesTensorAndRank) {
  const Launch& launch = mpi_launch();
  if (launch.size() == 1) return;
  for (const char* const buffer : {kWeights, "exp_avg_sq"}) {
    const bool is_state = std::string(buffer) != kWeights;
    Sharded model(tiny("gpt2"), {}, 3);
    const Parameter& parameter = parameter_of(model.store(), false, is_state ? buffer : "");
    if (launch.rank() == 1)
      flip_a_bit(parameter.unit().elements(buffer, parameter.offset(), parameter.numel()));
    expect_rank_1_is_named(drift(model), parameter.spec().name);
  }
  Sharded reads(tiny("gpt2"), {1, false, 1}, 3);
  const Parameter& read = *reads.store().parameters().front();
  if (launch.rank() == 1) flip_a_bit(read.weight());
  expect_rank_1_is_named(drift(reads), cat("the copy of ", read.spec().name));

  Sharded cut(tiny("gpt2"), {launch.size(), false, 0}, 3);
  const Parameter& norm = parameter_of(cut.store(), false, "");
  if (launch.rank() == 1) flip_a_bit(norm.unit().elements(kWeights, norm.offset(), norm.numel()));
  expect_rank_1_is_named(drift(cut), norm.spec().name);
}

// The same gradients each time; with `wrong`, rank 1 has another one the second time.
std::string replay(bool wrong) {
  Launch& launch = mpi_launch();
  Sharded model(tiny("gpt2"), {}, 3);
  ParameterStore& store = model.store();
  GradientSync sync(store, model.mesh().data(), model.mesh().tensor(), {});
  int calls = 0;
  const auto compute = [&] {
    store.begin_step();
    store.begin_micro_batch(true);
    for (Parameter* parameter : store.parameters()) {
      const bool is_last = parameter == store.parameters().back();
      const bool is_wrong = wrong && calls == 1 && is_last && launch.rank() == 1;
      parameter->add_gradient(
          at::full({parameter->numel()}, is_wrong ? 1.0F + 1e-6F : 1.0F, at::kFloat));
      for (int use = 0; use < parameter->spec().uses_per_micro_batch; ++use)
        parameter->report_use();
    }
    sync.finish();
    ++calls;
    return std::vector<double>{2.0};
  };
  try {
    computed_twice(compute, 4, store, launch.world());
    EXPECT_EQ(calls, 2);
    compute();  // units are announced to the sums again
    return "";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::kNumeric);
    return error.what();
  }
}

// Defect: a rank that computes wrong once is not found, or another one is named first.
TEST(Replay, NamesTheRankThatComputesWrong) {
  EXPECT_EQ(replay(false), "");
  if (mpi_launch().size() == 1) return;
  const std::string finding = replay(true);
  EXPECT_NE(finding.find("step 5 was computed twice"), std::string::npos) << finding;
  EXPECT_NE(finding.find("rank 1 on"), std::string::npos) << finding;
  EXPECT_NE(finding.find("(the gradient of unit "), std::string::npos) << finding;
  EXPECT_EQ(finding.find("rank 0"), std::string::npos) << finding;
}

}  // namespace
}  // namespace lmtrain
