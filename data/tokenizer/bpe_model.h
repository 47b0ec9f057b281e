// Byte-pair encoding (Sennrich et al. 2016) over bytes: a word starts as its bytes, and the
// adjacent pair with the lowest rank is merged, leftmost first, until no pair has a rank.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer/model.h"

namespace lmtrain {

// A hash table from pairs of adjacent tokens to the merged token and the rank of the merge. It uses
// open addressing and is at most half full.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  struct Entry {
    uint64_t pair = kNoPair;
    uint32_t rank = kNoRank;
    int32_t merged = 0;
  };

  explicit MergeTable(size_t num_merges);
  // Returns false when the pair already has a rank.
  bool insert(int32_t left, int32_t right, uint32_t rank, int32_t merged);
  // Returns the entry of a pair; its rank is kNoRank when the pair is never merged.
  const Entry& find(int32_t left, int32_t right) const {
    return entries_[slot_of(key(left, right))];
  }

 private:
  static constexpr uint64_t kNoPair = ~uint64_t{0};
  static uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  // Returns the slot that holds the pair, or the empty slot where it would be inserted.
  size_t slot_of(uint64_t pair) const {
    size_t slot = static_cast<size_t>(pair * 0x9E3779B97F4A7C15 >> shift_);
    while (entries_[slot].pair != pair && entries_[slot].pair != kNoPair) {
      slot = (slot + 1) & mask_;
    }
    return slot;
  }

  std::vector<Entry> entries_;
  size_t mask_;
  int shift_;
};

struct BpeMerge {
  int32_t left;
  int32_t right;
};

// How a word is encoded that is itself a token. kFirst: as that token, whatever the merges give (as
// in Llama 3, whose vocabulary holds words that no merges lead to). kByMerges: by the merges alone.
enum class WholeWords { kByMerges, kFirst };

// A byte without a token is left out of the words that hold it, as the tokenizers package leaves it
// out: some vocabularies have none for control characters and for bytes that UTF-8 never has.
// Throws DataError unless all ids are in range, the bytes of printable ASCII and the line break are
// tokens, and the text of each merge (left, then right) is a token. The message begins with
// `place`.
class BpeModel : public TokenModel {
 public:
  BpeModel(std::vector<std::string> tokens, std::vector<BpeMerge> merges, WholeWords whole_words,
           const std::string& place);

  void encode_word(std::string_view word, std::vector<int32_t>& ids) const override;
  const std::vector<std::string>& tokens() const override { return tokens_; }
  const std::vector<BpeMerge>& merges() const { return merges_; }
  std::string to_json() const override;

 private:
  void encode_bytes(std::string_view word, std::vector<int32_t>& ids) const;
  void encode_short(std::string_view word, std::vector<int32_t>& ids) const;
  void encode_long(std::string_view word, std::vector<int32_t>& ids) const;

  std::vector<std::string> tokens_;
  std::vector<BpeMerge> merges_;  // by rank
  std::array<int32_t, 256> token_of_byte_{};
  std::string bytes_without_token_;
  // The ids of whole words by their bytes; empty for kByMerges.
  std::unordered_map<std::string, int32_t> whole_words_;
  MergeTable table_;
};

std::unique_ptr<BpeModel> parse_bpe_model(const nlohmann::json& value, int64_t num_ids,
                                          const std::string& place);

}  // namespace lmtrain
