// The parts of a Tokenizer. Only its own files and the files that build one include this header.
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

  // Tokenizer's constructor computes these from the members above. By id: the text that a token
  // adds after other tokens, and its index in added_tokens, -1 for a token of the model.
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

// Reads and writes the components as tokenizer.json stores them. Throws DataError as
// Tokenizer::parse() does.
TokenizerPipeline parse_tokenizer_json(const nlohmann::json& document, const std::string& origin);
std::string write_tokenizer_json(const TokenizerPipeline& pipeline);

}  // namespace lmtrain
