// A trie of tokens, to find the longest token that a text starts with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lmtrain {

// The children of a node are found by hashing, with open addressing in a table at most half full.
class TokenTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNoNode = 0xFFFFFFFF;
  static constexpr int32_t kNoToken = -1;

  // `tokens` are ordered by id. Empty ones are left out; of equal ones the first is kept.
  explicit TokenTrie(const std::vector<std::string>& tokens);

  // Returns the child of `node` for a byte, or kNoNode.
  uint32_t child(uint32_t node, char byte) const { return edges_[slot_of(key(node, byte))].child; }
  // Returns the token that ends at `node`, or kNoToken.
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
  std::vector<int32_t> tokens_;  // indexed by node
};

}  // namespace lmtrain
