// What Llama and the families that follow it share: a decoder with RMSNorm in front of each part,
// rotary positions, SwiGLU and grouped queries, and the names that transformers gives its tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/families/family.h"

namespace lmtrain {

ModelTraits llama_like_traits(const ModelConfig& model);
std::optional<ModelProblem> find_llama_like_problem(const ModelConfig& model);
// Returns the classes of transformers whose names begin with `prefix`.
std::vector<HeadClass> llama_like_classes(const std::string& prefix);
// These read and write the keys of config.json that all of these families have; biases are not
// among them.
void read_llama_like_json(ConfigJson& from, ModelConfig& model);
nlohmann::json llama_like_json(const std::string& model_type, const ModelConfig& model);
// Includes the norms of each head's queries and keys, and the biases of query, key and value, where
// the model has them.
// `root` stands in front of the names of the base model ("model.").
TensorMap llama_like_tensor_map(const ModelConfig& model, int64_t num_tokens,
                                const std::string& root);

}  // namespace lmtrain
