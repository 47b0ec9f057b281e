// A family of models: everything that belongs to one architecture alone, in one source file. Blocks
// read its traits; import and export use its tensor names and its config.json.
//
// A new family is one file that defines a function like those below, and a line in families.cpp;
// docs/extending.md leads through it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/huggingface/config_json.h"
#include "models/huggingface/safetensors.h"
#include "models/huggingface/tensor_map.h"
#include "models/model_config.h"
#include "models/model_traits.h"

namespace lmtrain {

// A class of transformers and the head that it puts on the model.
struct HeadClass {
  std::string name;  // "GPT2LMHeadModel"
  HeadKind head = HeadKind::kLanguageModel;
};

struct ModelFamily {
  std::string kind;     // model.kind
  std::string summary;  // for the description of model.kind
  // Keys of section `model` that this family reads but not every family does: "qk_norm", or "rope."
  // for a whole section. The other families refuse them.
  std::vector<std::string_view> own_keys;

  ModelTraits (*traits)(const ModelConfig& model) = nullptr;
  // Finds settings that do not go together, beyond the rules of all families; may be null.
  std::optional<ModelProblem> (*find_problem)(const ModelConfig& model) = nullptr;

  // --- the transformers package ---
  std::vector<std::string> model_types;  // in config.json
  // Returns the classes of transformers, which also says which heads the family has. Export writes
  // the first class of a head.
  std::vector<HeadClass> (*classes)(const ModelConfig& model) = nullptr;
  // Completes a default config from config.json, except for what all families share: the head,
  // labels, the vocabulary, initializer_range and tie_word_embeddings.
  void (*read_json)(const std::string& model_type, ConfigJson& from, ModelConfig& model) = nullptr;
  // The inverse of read_json, with the same exceptions; also sets model_type.
  nlohmann::json (*write_json)(const ModelConfig& model) = nullptr;
  // Returns the names and places of all tensors. `num_tokens` is the unpadded vocabulary.
  TensorMap (*tensor_map)(const ModelConfig& model, int64_t num_tokens) = nullptr;
  // Completes the config, which has no label head, by what only the files tell; may be null.
  void (*read_files)(const SafetensorsFolder& files, ModelConfig& model) = nullptr;
};

// Each family has a function here and a source file in this folder; families.cpp lists them.
ModelFamily gpt2_family();
ModelFamily llama_family();
ModelFamily qwen2_family();
ModelFamily mistral_family();
ModelFamily bert_family();
ModelFamily roberta_family();
ModelFamily distilbert_family();

// --- what families share ---

// Whether embeddings are tied: as model.embeddings says, or `by_default` where that is auto.
bool ties_embeddings(const ModelConfig& model, bool by_default);
// Returns the initial standard deviation of projections back onto the residual stream by GPT-2's
// rule, which counts two per block.
double scaled_residual_std(const ModelConfig& model);

// Finds model.embeddings = untied a problem, for a language head that transformers ties.
std::optional<ModelProblem> find_untied_problem(const ModelConfig& model);

// Adds OURS.weight and, with biases, OURS.bias of a norm over the residual stream.
void add_norm(TensorMap& map, const ModelConfig& model, const std::string& ours,
              const std::string& theirs);
// Adds OURS.weight and OURS.bias of a linear layer of `rows` outputs.
void add_linear(TensorMap& map, const std::string& ours, const std::string& theirs, int64_t rows,
                bool is_transposed = false);
// lmtrain has one dropout. Says so where config.json has another value under one of `others`, of
// which transformers' default is `by_default`.
void note_other_dropouts(ConfigJson& from, const ModelConfig& model,
                         const std::vector<std::string>& others, double by_default);

// Adds a label head, which transformers calls `theirs`.
void add_label_head(TensorMap& map, const ModelConfig& model, const std::string& theirs);

}  // namespace lmtrain
