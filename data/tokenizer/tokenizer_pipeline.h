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
  int32_t begin_of_text = -1;  // the id that stands before each text, of a special token

  // By id, made from the above by Tokenizer's constructor.
  std::vector<std::string> texts = {};  // the content of a special token
  std::vector<bool> special = {};
  int32_t end_of_text = -1;
  uint64_t hash = 0;
};

// The components as tokenizer.json holds them; DataError as Tokenizer::parse().
TokenizerPipeline parse_tokenizer_json(const nlohmann::json& document, const std::string& origin);
std::string write_tokenizer_json(const TokenizerPipeline& pipeline);

}  // namespace lmtrain
