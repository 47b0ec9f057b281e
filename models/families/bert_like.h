// What BERT and the families that follow it share: a bidirectional encoder with learned positions,
// exact GELU and biases, trained by masked tokens.
#pragma once

#include <string>

#include "models/families/family.h"

namespace lmtrain {

// LayerNorm behind each residual sum, no segments, no pooler.
ModelTraits bert_like_traits(const ModelConfig& model);
// The keys of config.json that BERT and RoBERTa have, but for positions and segments.
void read_bert_like_json(ConfigJson& from, ModelConfig& model);
nlohmann::json bert_like_json(const std::string& model_type, const ModelConfig& model);
// A block of BERT, MegatronBERT (norms before) or RoBERTa.
void add_bert_like_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
                         const std::string& theirs);

}  // namespace lmtrain
