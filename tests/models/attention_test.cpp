#include "models/attention.h"

#include <set>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include "models/blocked_attention.h"

namespace lmtrain {
namespace {

struct Inputs {
  at::Tensor q, k, v, d_output;

  // As the fused projection lays them out.
  Inputs(int64_t samples, int64_t heads, int64_t positions, int64_t head_size,
         at::ScalarType type) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
    const at::Tensor qkv = at::randn({samples, positions, 3, heads, head_size}, generator, type);
    q = qkv.select(2, 0).transpose(1, 2);
    k = qkv.select(2, 1).transpose(1, 2);
    v = qkv.select(2, 2).transpose(1, 2);
    d_output = at::randn({samples, positions, heads, head_size}, generator, type).transpose(1, 2);
  }
  // The same numbers, exactly, in double.
  Inputs widened() const {
    Inputs wide = *this;
    for (at::Tensor* t : {&wide.q, &wide.k, &wide.v, &wide.d_output}) *t = t->to(at::kDouble);
    return wide;
  }
};

struct Results {
  at::Tensor output, d_q, d_k, d_v;
};

Results run(const Inputs& inputs, const DropoutSite& dropout) {
  const at::Tensor q = inputs.q.detach().requires_grad_();
  const at::Tensor k = inputs.k.detach().requires_grad_();
  const at::Tensor v = inputs.v.detach().requires_grad_();
  const at::Tensor output = causal_attention(q, k, v, dropout);
  output.backward(inputs.d_output);
  return {output.detach(), q.grad(), k.grad(), v.grad()};
}

double relative_error(const at::Tensor& got, const at::Tensor& want) {
  return (got.to(at::kDouble) - want).abs().max().item<double>() / want.abs().max().item<double>();
}

class BlockedAttention : public testing::Test {
 protected:
  void SetUp() override {
    if (!blocked_attention_suits(Inputs(2, 4, 8, 32, at::kBFloat16).q)) {
      GTEST_SKIP() << "this processor has no bf16 instructions: attention takes LibTorch's kernel";
    }
  }
};

// Defect: a tile, its diagonal, the padding of the last tile or a gradient computed wrongly, with
// dropout and without. bf16 keeps 8 bits, so that what fp64 makes of the same inputs is met within
// 1%.
TEST_F(BlockedAttention, AgreesWithDoublePrecision) {
  struct Case {
    int64_t positions, head_size;
  };
  for (const auto& [positions, head_size] :
       {Case{1, 32}, Case{63, 64}, Case{64, 64}, Case{65, 32}, Case{200, 96}, Case{256, 64}}) {
    for (const double probability : {0.0, 0.25}) {
      const Inputs inputs(2, 3, positions, head_size, at::kBFloat16);
      const DropoutSite dropout{{probability, 7, 3, {4, 9}}, 2, 1};
      ASSERT_TRUE(blocked_attention_suits(inputs.q));
      const Results got = run(inputs, dropout);
      const Results want = run(inputs.widened(), dropout);
      const auto at = testing::Message() << positions << " positions, head size " << head_size
                                         << ", dropout " << probability;
      EXPECT_LE(relative_error(got.output, want.output), 0.01) << at;
      EXPECT_LE(relative_error(got.d_v, want.d_v), 0.01) << at;
      if (positions == 1) continue;  // with one key the scores have no say
      EXPECT_LE(relative_error(got.d_q, want.d_q), 0.01) << at;
      EXPECT_LE(relative_error(got.d_k, want.d_k), 0.01) << at;
    }
  }
}

// Defect: results that depend on which thread had a head.
TEST_F(BlockedAttention, RepeatsToTheBitWithAnyNumberOfThreads) {
  const Inputs inputs(2, 4, 130, 32, at::kBFloat16);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Results one = run(inputs, {});
  at::set_num_threads(3);
  const Results three = run(inputs, {});
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.output, three.output));
  EXPECT_TRUE(at::equal(one.d_q, three.d_q));
  EXPECT_TRUE(at::equal(one.d_k, three.d_k));
  EXPECT_TRUE(at::equal(one.d_v, three.d_v));
}

// The operators of LibTorch that attention calls.
std::set<std::string> operators_of(const Inputs& inputs, const DropoutSite& dropout) {
  static std::set<std::string> names;
  names.clear();
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        names.insert(function.name());
        return nullptr;
      }));
  causal_attention(inputs.q, inputs.k, inputs.v, dropout);
  at::removeCallback(handle);
  return names;
}

// Defect: tensors laid out so that attention falls back to the slow path, which forms all
// probabilities.
TEST(Attention, TakesAFlashKernel) {
  const std::string flash = "aten::_scaled_dot_product_flash_attention_for_cpu";
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const int64_t head_size : {16, 64}) {
      const Inputs inputs(2, 4, 48, head_size, type);
      const std::set<std::string> called = operators_of(inputs, {});
      EXPECT_NE(called.contains(flash), blocked_attention_suits(inputs.q))
          << type << " " << head_size;
      EXPECT_FALSE(called.contains("aten::softmax")) << type << " " << head_size;
      EXPECT_FALSE(called.contains("aten::_softmax")) << type << " " << head_size;
    }
  }
  // The observer sees the slow path where it is meant to be taken.
  const DropoutSite dropout{{0.5, 1, 1, {0, 1}}, 1, 0};
  EXPECT_TRUE(operators_of(Inputs(2, 4, 48, 16, at::kFloat), dropout).contains("aten::_softmax"));
}

}  // namespace
}  // namespace lmtrain
