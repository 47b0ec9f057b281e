// A family of models: everything that one architecture has of its own, in one source file. Blocks
// read its traits; import and export go over its tensor names and its config.json.
//
// A new family is one file that defines a function like those below, and a line in families.cpp;
// docs/extending.md leads through it.
#pragma once

#include <optional>
#include <string>
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
  // Keys of section `model` that this family reads and not every family does: "qk_norm", "rope."
  // for a whole section. Another family refuses them.
  std::vector<std::string> own_keys;

  ModelTraits (*traits)(const ModelConfig& model) = nullptr;
  // Settings that do not go together, beyond what holds for every family; may be null.
  std::optional<ModelProblem> (*find_problem)(const ModelConfig& model) = nullptr;

  // --- the transformers package ---
  std::vector<std::string> model_types;  // in config.json
  // The first class of a head is what export writes. Also says which heads the family has.
  std::vector<HeadClass> (*classes)(const ModelConfig& model) = nullptr;
  // Completes a default config from config.json but for what all families share: the head, labels,
  // the vocabulary, initializer_range and tie_word_embeddings.
  void (*read_json)(const std::string& model_type, ConfigJson& from, ModelConfig& model) = nullptr;
  // The inverse, likewise; sets model_type.
  nlohmann::json (*write_json)(const ModelConfig& model) = nullptr;
  // Names and places of all tensors. `num_tokens` is the unpadded vocabulary.
  TensorMap (*tensor_map)(const ModelConfig& model, int64_t num_tokens) = nullptr;
  // The language head that the files hold, where their class does not tell; null: the class does.
  HeadKind (*head_of_files)(const SafetensorsFolder& files) = nullptr;
};

// One for each source file of this folder; families.cpp lists them.
ModelFamily gpt2_family();
ModelFamily llama_family();
ModelFamily qwen2_family();
ModelFamily mistral_family();
ModelFamily bert_family();
ModelFamily roberta_family();
ModelFamily distilbert_family();

// --- what families share ---

// model.embeddings, or `by_default` where it is auto.
bool ties_embeddings(const ModelConfig& model, bool by_default);
// GPT-2's rule for projections back onto the residual stream, two a block.
double scaled_residual_std(const ModelConfig& model);

// Refuses model.embeddings = untied, for a language head that transformers ties.
std::optional<ModelProblem> find_untied_problem(const ModelConfig& model);

// Adds OURS.weight and, with biases, OURS.bias of a norm over the residual stream.
void add_norm(TensorMap& map, const ModelConfig& model, const std::string& ours,
              const std::string& theirs);
// Adds OURS.weight and OURS.bias of a linear layer of `rows` outputs.
void add_linear(TensorMap& map, const std::string& ours, const std::string& theirs, int64_t rows,
                bool is_transposed = false);
// Adds a head of labels that transformers calls `theirs`.
void add_label_head(TensorMap& map, const ModelConfig& model, const std::string& theirs);

}  // namespace lmtrain
