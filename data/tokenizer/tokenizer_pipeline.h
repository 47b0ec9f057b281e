// What a Tokenizer is made of. Only its own files, and those that make one, include this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizer/decoder.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"

namespace lmtrain {

// A token with a meaning instead of a text. The flags say how it would be found in a text, which
// encode() never looks for.
struct SpecialToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
};

struct TokenizerPipeline {
  std::vector<SpecialToken> special_tokens;
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<TokenModel> model;
  std::unique_ptr<TokenDecoder> decoder;
  PostProcessor post_processor = {};

  // Made from the above by Tokenizer's constructor. By id: the text of a token among others, and
  // its index in special_tokens, -1 for the model's own.
  std::vector<std::string> texts = {};
  std::vector<int32_t> special_index = {};
  struct Roles {
    int32_t end_of_text = -1;
    int32_t begin_of_text = -1;
    int32_t mask = -1;
    int32_t pad = -1;
    int32_t classification = -1;
    int32_t separator = -1;
    int32_t unknown = -1;
  } roles = {};
  uint64_t hash = 0;

  const SpecialToken* special_token(int32_t id) const {
    const int32_t index = special_index[static_cast<size_t>(id)];
    return index < 0 ? nullptr : &special_tokens[static_cast<size_t>(index)];
  }
};

// The components as tokenizer.json holds them; DataError as Tokenizer::parse().
TokenizerPipeline parse_tokenizer_json(const nlohmann::json& document, const std::string& origin);
std::string write_tokenizer_json(const TokenizerPipeline& pipeline);

}  // namespace lmtrain
