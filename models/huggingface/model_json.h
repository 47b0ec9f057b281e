// A model's config.json of the transformers package, to and from the config section `model`.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "models/model_config.h"

namespace lmtrain {

struct HuggingfaceModel {
  ModelConfig config;  // vocab_size: num_tokens; of bert without a head of labels, see bert_head
  int64_t num_tokens = 0;
};

// Reads model_type gpt2, llama, qwen3, bert or megatron-bert (norms before), in the spelling of
// transformers 4 or 5. Throws DataError for another type and for a setting that lmtrain's models do
// not have, naming the key. `place` opens messages.
HuggingfaceModel model_from_json(const nlohmann::json& json, const std::string& place);

// Ids of tokens with a meaning; below 0: none.
struct TokenIds {
  int64_t begin = -1;  // before a text
  int64_t end = -1;    // behind it
  int64_t pad = -1;
};

// What transformers 5 would save; `type` is PyTorch's name, such as "float32".
nlohmann::json model_to_json(const ModelConfig& config, int64_t num_tokens, const TokenIds& ids,
                             const std::string& type);

}  // namespace lmtrain
