// What BERT and the families that follow it share: a bidirectional encoder with learned positions,
// exact GELU and biases, trained by masked tokens.
#pragma once

#include <string>

#include "models/families/family.h"

namespace lmtrain {

// Returns traits with LayerNorm after each residual sum, without segments and without a pooler.
ModelTraits bert_like_traits(const ModelConfig& model);
// These read and write the keys of config.json that BERT and RoBERTa share, except those of
// positions and segments.
void read_bert_like_json(ConfigJson& from, ModelConfig& model);
nlohmann::json bert_like_json(const std::string& model_type, const ModelConfig& model);
// Adds a block of BERT, MegatronBERT (norms before the parts) or RoBERTa.
void add_bert_like_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
                         const std::string& theirs);

}  // namespace lmtrain
