// WordPiece (Schuster and Nakajima 2012, as in BERT): a word becomes the longest token that it
// starts with, then the longest continuing token that the rest starts with, and so on; a word for
// which that fails is the unknown token.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizer/model.h"

namespace lmtrain {

// All tokens by their bytes. The children of a node are found by hashing: open addressing, at most
// half full.
class TokenTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNoNode = 0xFFFFFFFF;
  static constexpr int32_t kNoToken = -1;

  // `tokens` by id; empty ones are left out.
  explicit TokenTrie(const std::vector<std::string>& tokens);

  // The node behind a byte, or kNoNode.
  uint32_t child(uint32_t node, char byte) const { return edges_[slot_of(key(node, byte))].child; }
  // The token that ends at a node, or kNoToken.
  int32_t token(uint32_t node) const { return tokens_[node]; }

 private:
  struct Edge {
    uint64_t key = kNoKey;
    uint32_t child = kNoNode;
  };
  static constexpr uint64_t kNoKey = ~uint64_t{0};

  static uint64_t key(uint32_t node, char byte) {
    return uint64_t{node} << 8 | static_cast<uint8_t>(byte);
  }
  size_t slot_of(uint64_t key) const {
    size_t slot = static_cast<size_t>(key * 0x9E3779B97F4A7C15 >> shift_);
    while (edges_[slot].key != key && edges_[slot].key != kNoKey) {
      slot = (slot + 1) & (edges_.size() - 1);
    }
    return slot;
  }

  std::vector<Edge> edges_;
  int shift_;
  std::vector<int32_t> tokens_;  // by node
};

struct WordPieceOptions {
  std::string unknown_token = "[UNK]";
  std::string continuing_prefix = "##";  // what marks tokens that continue a word
  int64_t max_characters = 100;          // a longer word is unknown
};

// Throws DataError, which `place` opens, when the unknown token is none of the tokens.
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
  uint32_t continuing_node_ = TokenTrie::kRoot;  // behind the prefix
  int32_t unknown_ = 0;
};

std::unique_ptr<WordPieceModel> parse_wordpiece_model(const nlohmann::json& value, int64_t num_ids,
                                                      const std::string& place);

}  // namespace lmtrain
