// A model's config.json of the transformers package, to and from the config section `model`.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "models/model_config.h"

namespace lmtrain {

struct HuggingfaceModel {
  ModelConfig config;  // vocab_size: num_tokens
  int64_t num_tokens = 0;
};

// Reads model_type gpt2, llama or qwen3, in the spelling of transformers 4 or 5. Throws DataError
// for another type and for a setting that lmtrain's models do not have, naming the key. `place`
// opens messages.
HuggingfaceModel model_from_json(const nlohmann::json& json, const std::string& place);

// What transformers 5 would save; `end_of_text` is the id of the end token, `type` a safetensors
// type such as "float32".
nlohmann::json model_to_json(const ModelConfig& config, int64_t num_tokens, int64_t end_of_text,
                             const std::string& type);

}  // namespace lmtrain
