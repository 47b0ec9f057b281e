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
  AttentionMask mask;

  // Makes tensors laid out as the fused projection does: `groups` key heads, each for equally many
  // query heads.
  Inputs(int64_t samples, int64_t heads, int64_t groups, int64_t positions, int64_t head_size,
         at::ScalarType type)
      : mask(causal_mask(samples, positions, at::kCPU)) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
    const int64_t shared = heads / groups;
    const auto qkv = at::randn({samples, positions, groups, shared + 2, head_size}, generator, type)
                         .split_with_sizes({shared, 1, 1}, 3);
    q = qkv[0].flatten(2, 3).transpose(1, 2);
    k = qkv[1].flatten(2, 3).transpose(1, 2);
    v = qkv[2].flatten(2, 3).transpose(1, 2);
    d_output = at::randn({samples, positions, heads, head_size}, generator, type).transpose(1, 2);
  }
  // Returns exactly the same numbers in double.
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
  const at::Tensor output = attention(q, k, v, inputs.mask, dropout);
  output.backward(inputs.d_output);
  return {output.detach(), q.grad(), k.grad(), v.grad()};
}

double relative_error(const at::Tensor& got, const at::Tensor& want) {
  return (got.to(at::kDouble) - want).abs().max().item<double>() / want.abs().max().item<double>();
}

// Makes documents of many lengths, within tiles and across them: 0 0 0 1 1 1 1 1 2 ...
at::Tensor documents(int64_t samples, int64_t positions) {
  at::Tensor ids = at::zeros({samples, positions}, at::kInt);
  for (int64_t s = 0; s < samples; ++s) {
    int32_t document = 0;
    for (int64_t t = 0; t < positions; ++t) {
      if ((t * t + s) % 37 == 5) ++document;
      ids[s][t] = document;
    }
  }
  return ids;
}

class BlockedAttention : public testing::Test {
 protected:
  void SetUp() override {
    const Inputs inputs(2, 4, 4, 8, 32, at::kBFloat16);
    if (!blocked_attention_suits(inputs.q, inputs.k)) {
      GTEST_SKIP() << "this processor has no bf16 instructions: attention takes LibTorch's kernel";
    }
  }
};

// Defect: a tile, its diagonal, the padding of the last tile, a shared head or a gradient is
// computed wrongly, with dropout or without, over whole sequences or within documents. bf16 keeps 8
// bits, so the result must be within 1% of what fp64 makes of the same inputs.
TEST_F(BlockedAttention, AgreesWithDoublePrecision) {
  struct Case {
    int64_t positions, head_size, groups;
  };
  for (const auto& [positions, head_size, groups] :
       {Case{1, 32, 6}, Case{63, 64, 3}, Case{64, 64, 6}, Case{65, 32, 2}, Case{200, 96, 3},
        Case{256, 64, 6}}) {
    for (const double probability : {0.0, 0.25}) {
      for (const bool isolates : {false, true}) {
        Inputs inputs(2, 6, groups, positions, head_size, at::kBFloat16);
        if (isolates) inputs.mask = causal_mask_within(documents(2, positions));
        const DropoutSite dropout{{probability, 7, 3, {4, 9}}, 2, 1};
        ASSERT_TRUE(blocked_attention_suits(inputs.q, inputs.k));
        const Results got = run(inputs, dropout);
        const Results want = run(inputs.widened(), dropout);
        const auto at = testing::Message()
                        << positions << " positions, head size " << head_size << ", " << groups
                        << " heads of keys, dropout " << probability << ", documents " << isolates;
        EXPECT_LE(relative_error(got.output, want.output), 0.01) << at;
        EXPECT_LE(relative_error(got.d_v, want.d_v), 0.01) << at;
        if (positions == 1) continue;  // with one key, the weight is 1 whatever the score
        EXPECT_LE(relative_error(got.d_q, want.d_q), 0.01) << at;
        EXPECT_LE(relative_error(got.d_k, want.d_k), 0.01) << at;
      }
    }
  }
}

// Defect: on some path, the mask lets a token see the future or another document. Each token's
// output must not change with what it may not see, and must change with what it may.
TEST(Attention, SeesItsDocumentAndNothingElse) {
  const int64_t positions = 70;
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const double probability : {0.0, 1e-9}) {  // the second takes the path of dropout
      Inputs inputs(1, 4, 2, positions, 32, type);
      const at::Tensor ids = documents(1, positions);
      inputs.mask = causal_mask_within(ids);
      const DropoutSite dropout{{probability, 1, 1, {0}}, 1, 0};
      const at::Tensor before = attention(inputs.q, inputs.k, inputs.v, inputs.mask, dropout);
      for (const int64_t changed : {0L, 6L, 33L, 69L}) {
        Inputs other = inputs;
        for (at::Tensor* t : {&other.k, &other.v}) {
          *t = t->clone();
          t->select(2, changed).add_(1.0);
        }
        const at::Tensor after = attention(other.q, other.k, other.v, inputs.mask, dropout);
        for (int64_t t = 0; t < positions; ++t) {
          const bool sees = changed <= t && ids[0][t].item<int>() == ids[0][changed].item<int>();
          EXPECT_NE(at::equal(before.select(2, t), after.select(2, t)), sees)
              << type << ": token " << t << ", changed " << changed;
        }
      }
    }
  }
}

// Defect: the path with dropout computes another attention than the flash path.
TEST(Attention, DropoutPathAgreesWithFlashWhereNothingFalls) {
  Inputs inputs(2, 4, 2, 9, 8, at::kDouble);
  const DropoutContext tiny{1e-9, 1, 1, {0, 1}};  // rounds to a probability of zero
  for (const bool isolates : {false, true}) {
    if (isolates) inputs.mask = causal_mask_within(documents(2, 9));
    const Results dropped = run(inputs, {tiny, 1, 0});
    const Results flash = run(inputs, {});
    EXPECT_LE(relative_error(dropped.output, flash.output), 1e-12);
    EXPECT_LE(relative_error(dropped.d_q, flash.d_q), 1e-12);
    EXPECT_LE(relative_error(dropped.d_k, flash.d_k), 1e-12);
  }
}

// Defect: results depend on which thread computed a head.
TEST_F(BlockedAttention, RepeatsToTheBitWithAnyNumberOfThreads) {
  const Inputs inputs(2, 4, 2, 130, 32, at::kBFloat16);
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

// Returns the operators of LibTorch that attention calls.
std::set<std::string> operators_of(const Inputs& inputs, const DropoutSite& dropout) {
  static std::set<std::string> names;
  names.clear();
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        names.insert(function.name());
        return nullptr;
      }));
  attention(inputs.q, inputs.k, inputs.v, inputs.mask, dropout);
  at::removeCallback(handle);
  return names;
}

// Defect: the layout of tensors makes attention fall back to the slow path, which forms all
// probabilities.
TEST(Attention, TakesAFlashKernel) {
  const std::string flash = "aten::_scaled_dot_product_flash_attention_for_cpu";
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const int64_t head_size : {16, 64}) {
      const Inputs inputs(2, 4, 4, 48, head_size, type);
      const std::set<std::string> called = operators_of(inputs, {});
      EXPECT_NE(called.contains(flash), blocked_attention_suits(inputs.q, inputs.k))
          << type << " " << head_size;
      EXPECT_FALSE(called.contains("aten::softmax")) << type << " " << head_size;
      EXPECT_FALSE(called.contains("aten::_softmax")) << type << " " << head_size;
    }
  }
  // The observer sees the slow path where it is meant to be taken.
  const DropoutSite dropout{{0.5, 1, 1, {0, 1}}, 1, 0};
  EXPECT_TRUE(
      operators_of(Inputs(2, 4, 4, 48, 16, at::kFloat), dropout).contains("aten::_softmax"));
}

}  // namespace
}  // namespace lmtrain
