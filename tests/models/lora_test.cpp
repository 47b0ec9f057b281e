#include "models/lora.h"

#include <gtest/gtest.h>

#include "models/model_sizes.h"

namespace lmtrain {
namespace {

ModelConfig model_of(const std::string& kind, std::vector<std::string> targets) {
  ModelConfig model;
  model.kind = kind;
  model.num_layers = 2;
  model.num_heads = 4;
  model.hidden_size = 32;
  model.lora.rank = 3;
  model.lora.targets = std::move(targets);
  return model;
}

std::vector<std::string> layers_of(const std::vector<LoraAdapter>& adapters) {
  std::vector<std::string> layers;
  for (const LoraAdapter& adapter : adapters) layers.push_back(adapter.layer);
  return layers;
}

// Defect: an adapter on other outputs than those of its layer.
TEST(Lora, AnAdapterHasTheSliceOfItsLayer) {
  ModelConfig llama = model_of("llama", {"v_proj", "up_proj"});
  llama.num_kv_heads = 2;
  const auto qkv = lora_adapters(llama, "blocks.1.attention.qkv");
  ASSERT_EQ(layers_of(qkv), std::vector<std::string>{"self_attn.v_proj"});
  EXPECT_EQ(qkv[0].slice.dim, 1);
  EXPECT_EQ(qkv[0].slice.begin, 3);  // behind two query heads of a group and the key
  EXPECT_EQ(qkv[0].slice.count, 1);
  const auto up = lora_adapters(llama, "blocks.0.feed_forward.up");
  ASSERT_EQ(layers_of(up), std::vector<std::string>{"mlp.up_proj"});
  EXPECT_EQ(up[0].slice.begin, 1);
  EXPECT_TRUE(lora_adapters(llama, "blocks.0.attention.output").empty());
  // GPT-2 has one layer for queries, keys and values.
  const auto fused = lora_adapters(model_of("gpt2", {"c_attn"}), "blocks.0.attention.qkv");
  ASSERT_EQ(layers_of(fused), std::vector<std::string>{"attn.c_attn"});
  EXPECT_EQ(fused[0].slice.count, 3);
}

// Defect: a name that fits the end of another layer's name, or none.
TEST(Lora, TargetsAreNamesOrTheirEnds) {
  const ModelConfig bert = model_of("bert", {"attention.output.dense", "query"});
  EXPECT_EQ(layers_of(lora_adapters(bert, "blocks.0.attention.output")),
            std::vector<std::string>{"attention.output.dense"});
  EXPECT_TRUE(lora_adapters(bert, "blocks.0.feed_forward.down").empty());
  EXPECT_EQ(lora_adapters(model_of("bert", {"dense"}), "blocks.0.feed_forward.down").size(), 1U);
  EXPECT_EQ(lora_layers(bert).size(), 6U);
  EXPECT_TRUE(targets_without_layer(bert).empty());
  EXPECT_EQ(targets_without_layer(model_of("gpt2", {"all-linear", "attn", "q_proj"})),
            (std::vector<std::string>{"attn", "q_proj"}));
}

// Defect: other parameters than PEFT's count: GPT-2 with r=8 on c_attn has 294,912 in 12 layers.
TEST(Lora, CountsAsPeftDoes) {
  ModelConfig gpt2 = model_of("gpt2", {"c_attn"});
  gpt2.num_layers = gpt2.num_heads = 12;
  gpt2.hidden_size = 768;
  gpt2.lora.rank = 8;
  int64_t count = 0;
  const auto declared = declared_parameters(gpt2, 100, /*tensor=*/2);
  for (const Parameter* parameter : declared->parameters()) {
    if (is_of_adapter(parameter->spec().name))
      count += c10::multiply_integers(parameter->spec().logical_shape);
  }
  EXPECT_EQ(count, 294'912);
}

TEST(Lora, ScalesByRank) {
  EXPECT_DOUBLE_EQ(lora_scale({.rank = 4, .alpha = 8}), 2.0);
  EXPECT_DOUBLE_EQ(lora_scale({.rank = 4, .alpha = 8, .scaling = LoraScaling::kRankStabilised}),
                   4.0);
}

}  // namespace
}  // namespace lmtrain
