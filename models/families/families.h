// All families of models, and how the transformers package's config.json of any of them is read and
// written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/families/family.h"
#include "models/model_config.h"

namespace lmtrain {

// Returns all families, in the order in which documents list them.
const std::vector<ModelFamily>& model_families();
// Returns the family of model.kind, which the config has checked.
const ModelFamily& family_of(const ModelConfig& model);

struct HuggingfaceModel {
  ModelConfig config;  // vocab_size: num_tokens
  int64_t num_tokens = 0;
};

// Reads a config.json of any family's model_type, in the spelling of transformers 4 or 5. Throws
// DataError, naming the key, for another type and for a setting that lmtrain's models do not have.
// Messages begin with `place`.
HuggingfaceModel model_from_json(const nlohmann::json& json, const std::string& place);
// Completes what config.json does not tell, which tensors the files hold.
void complete_by_files(HuggingfaceModel& model, const SafetensorsFolder& files);

// The ids of special tokens; an id below 0 means none.
struct TokenIds {
  int64_t begin = -1;  // before a text
  int64_t end = -1;    // after it
  int64_t pad = -1;
};

// Returns the config.json that transformers 5 would save. `type` is PyTorch's name of the type,
// such as "float32".
nlohmann::json model_to_json(const ModelConfig& config, int64_t num_tokens, const TokenIds& ids,
                             const std::string& type);

// Returns where each parameter of a model, in their order, lies in the tensors of its class of
// transformers. `num_tokens` is the unpadded vocabulary.
TensorMap tensor_map_of(const ModelConfig& config, int64_t num_tokens);

}  // namespace lmtrain
