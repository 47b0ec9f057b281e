// WordPiece (Schuster and Nakajima 2012, as in BERT): a word becomes the longest token that it
// starts with, then the longest continuing token that the rest starts with, and so on. When no
// token fits the rest, the whole word becomes the unknown token.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizer/model.h"
#include "data/tokenizer/token_trie.h"

namespace lmtrain {

struct WordPieceOptions {
  std::string unknown_token = "[UNK]";
  std::string continuing_prefix = "##";  // marks tokens that continue a word
  int64_t max_characters = 100;          // a longer word becomes the unknown token
};

// Throws DataError when the unknown token is not among the tokens. The message begins with `place`.
class WordPieceModel : public TokenModel {
 public:
  WordPieceModel(std::vector<std::string> tokens, WordPieceOptions options,
                 const std::string& place);

  void encode_word(std::string_view word, std::vector<int32_t>& ids) const override;
  const std::vector<std::string>& tokens() const override { return tokens_; }
  std::string to_json() const override;

 private:
  std::vector<std::string> tokens_;
  WordPieceOptions options_;
  TokenTrie trie_;
  uint32_t continuing_node_ = TokenTrie::kRoot;  // the node where the prefix ends
  int32_t unknown_ = 0;
};

std::unique_ptr<WordPieceModel> parse_wordpiece_model(const nlohmann::json& value, int64_t num_ids,
                                                      const std::string& place);

}  // namespace lmtrain
