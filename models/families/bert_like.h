// What BERT and the families that follow it share: a bidirectional encoder with learned positions,
// exact GELU and biases, trained by masked tokens.
#pragma once

#include <optional>
#include <string>

#include "models/families/family.h"

namespace lmtrain {

// Returns traits with LayerNorm after each residual sum, without segments and without a pooler.
ModelTraits bert_like_traits(const ModelConfig& model);
// These read and write the keys of config.json that BERT and RoBERTa share, except those of
// positions and segments.
void read_bert_like_json(ConfigJson& from, ModelConfig& model);
nlohmann::json bert_like_json(const std::string& model_type, const ModelConfig& model);

// model.pooler has a meaning with head: none alone; and embeddings are tied.
std::optional<ModelProblem> find_bert_like_problem(const ModelConfig& model);
// Whether the files of an encoder, with or without `root` before its names, hold a pooler.
bool have_pooler(const SafetensorsFolder& files, const std::string& root);

// What transformers calls the parts of a block, behind the block's own name.
struct BertLikeNames {
  std::string query;
  std::string key;
  std::string value;
  std::string attention_output;
  std::string attention_norm;
  std::string up;
  std::string down;
  std::string feed_forward_norm;
};
// Those of BERT, MegatronBERT (norms before the parts) and RoBERTa.
BertLikeNames bert_names(const ModelConfig& model);
// Adds embeddings and blocks. `root` is what transformers puts before "embeddings.", and `blocks`
// before a block's number.
void add_bert_like_encoder(TensorMap& map, const ModelConfig& model, const std::string& root,
                           const std::string& blocks, const BertLikeNames& names,
                           int64_t num_tokens);

}  // namespace lmtrain
