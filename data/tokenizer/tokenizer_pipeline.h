// What a Tokenizer is made of. Only its own files, and those that make one, include this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/decoder.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"

namespace lmtrain {

struct TokenizerPipeline {
  std::vector<AddedToken> added_tokens;
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<TokenModel> model;
  std::unique_ptr<TokenDecoder> decoder;
  PostProcessor post_processor = {};

  // Made from the above by Tokenizer's constructor. By id: the text of a token among others, and
  // its index in added_tokens, -1 for the model's own.
  std::vector<std::string> texts = {};
  std::vector<int32_t> added_index = {};
  struct Roles {
    int32_t end_of_text = -1;
    int32_t begin_of_text = -1;
    int32_t mask = -1;
    int32_t pad = -1;
    int32_t classification = -1;
    int32_t separator = -1;
    int32_t unknown = -1;
  } roles = {};
  AddedTokenFinders finders = {};
  uint64_t hash = 0;

  const AddedToken* added_token(int32_t id) const {
    const int32_t index = added_index[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &added_tokens[static_cast<size_t>(index)];
  }
};

// The components as tokenizer.json holds them; DataError as Tokenizer::parse().
TokenizerPipeline parse_tokenizer_json(const nlohmann::json& document, const std::string& origin);
std::string write_tokenizer_json(const TokenizerPipeline& pipeline);

}  // namespace lmtrain
