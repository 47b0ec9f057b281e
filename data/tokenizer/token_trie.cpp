#include "data/tokenizer/token_trie.h"

#include <algorithm>
#include <bit>

namespace lmtrain {

TokenTrie::TokenTrie(const std::vector<std::string>& tokens) {
  size_t num_bytes = 0;
  for (const std::string& token : tokens) num_bytes += token.size();
  const size_t num_slots = std::bit_ceil(std::max<size_t>(2 * num_bytes, 2));
  edges_.resize(num_slots);
  shift_ = 64 - std::countr_zero(num_slots);
  tokens_.push_back(kNoToken);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    uint32_t node = kRoot;
    for (const char byte : tokens[id]) {
      Edge& edge = edges_[slot_of(key(node, byte))];
      if (edge.child == kNoNode) {
        edge = {key(node, byte), static_cast<uint32_t>(tokens_.size())};
        tokens_.push_back(kNoToken);
      }
      node = edge.child;
    }
    if (tokens_[node] == kNoToken) tokens_[node] = static_cast<int32_t>(id);
  }
}

}  // namespace lmtrain
