// Adapters of low rank (models/lora.h) as folders of the peft package: adapter_config.json and
// adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <string>

#include <ATen/core/Tensor.h>

#include "models/huggingface/tensor_map.h"
#include "models/model_config.h"

namespace lmtrain {

// Adds s B A of each adapter to its weight, and takes the adapters out of the logical tensors.
void merge_adapters(const ModelConfig& model, NamedTensors& weights);

// Writes the folder `out`, which exists, from a model's logical tensors; the adapters, the trained
// biases and the label head, in `type`. `base` is the model that the adapters belong to.
void write_adapter(const std::filesystem::path& out, const ModelConfig& model, int64_t num_tokens,
                   const std::string& base, const NamedTensors& weights, at::ScalarType type);

// The section `lora` that such a folder was made with. Throws DataError for what lmtrain's adapters
// do not have.
LoraConfig read_adapter_config(const std::filesystem::path& folder, const ModelConfig& model);

// The folder's tensors as logical tensors of `model`, whose section `lora` is the folder's. Throws
// DataError naming what is missing or has another shape.
NamedTensors read_adapter(const std::filesystem::path& folder, const ModelConfig& model,
                          int64_t num_tokens);

}  // namespace lmtrain
