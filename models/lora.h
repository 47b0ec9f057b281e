// Adapters of low rank (Hu et al., "LoRA", 2022): a linear layer with the weight W and inputs x
// also computes s B A x; W stays as it is. A [rank, inputs], B [outputs, rank]; s is alpha / rank.
//
// What transformers keeps in several layers (query, key, value) lies in one weight here, so that a
// weight has an adapter for each layer of transformers, on its slice of the outputs: adapters are
// those of the peft package.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/model_config.h"
#include "parallel/parameter_spec.h"

namespace lmtrain {

struct LoraAdapter {
  std::string layer;  // its name in transformers, without that of the block: "self_attn.q_proj"
  MatrixSlice slice;  // of the weight, as in ParameterSpec::matrices
  // The names of its parameters: "blocks.3.attention.qkv.lora.q_proj.a" and the same with ".b".
  std::string a;
  std::string b;
};

// The adapters of the weight NAME.weight in a block ("blocks.3.attention.qkv"), in the order of its
// outputs; none where the config has none for it.
std::vector<LoraAdapter> lora_adapters(const ModelConfig& model, const std::string& name);

double lora_scale(const LoraConfig& config);

// Whether the bias of a linear layer, or another one, is trained beside adapters.
bool trains_bias(const LoraConfig& config, bool has_adapter);

// Whether a parameter has such a name.
bool is_of_adapter(std::string_view parameter);

// The parameters of the head of labels, with the pooler before it where there is one: they are
// trained beside adapters, since a model often has neither.
std::vector<std::string> parameters_of_label_head(const ModelConfig& model);

// The layers of transformers that may have adapters, without the names of the blocks.
std::vector<std::string> lora_layers(const ModelConfig& model);
// The entries of lora.targets that fit none of these.
std::vector<std::string> targets_without_layer(const ModelConfig& model);
// Layers without an adapter whose bias is, in lmtrain, one with that of a layer that has one; with
// lora.bias = lora_only it cannot be trained in part.
std::vector<std::string> layers_that_share_a_bias(const ModelConfig& model);

}  // namespace lmtrain
