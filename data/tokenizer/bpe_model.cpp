#include "data/tokenizer/bpe_model.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/byte_alphabet.h"

namespace lmtrain {

namespace {

// Up to this many bytes, searching for the lowest rank each time is faster than a heap.
constexpr size_t kMaxShortWord = 40;

// A long word as a doubly linked list of tokens. The token that starts at byte i is element i;
// merging keeps the left element and drops the right one.
class LongWord {
 public:
  LongWord(std::vector<int32_t> tokens, const MergeTable& table)
      : table_(table), tokens_(std::move(tokens)), pair_rank_(tokens_.size()) {
    const auto size = static_cast<uint32_t>(tokens_.size());
    next_.resize(size);
    previous_.resize(size);
    for (uint32_t i = 0; i < size; ++i) {
      next_[i] = i + 1;
      previous_[i] = i - 1;  // that of the first is never read
    }
    std::vector<uint64_t> candidates;
    for (uint32_t i = 0; i < size; ++i) {
      pair_rank_[i] = rank_after(i);
      if (pair_rank_[i] != MergeTable::kNoRank) candidates.push_back(candidate(i));
    }
    queue_ = Queue(std::greater<>(), std::move(candidates));
  }

  void merge_all() {
    while (!queue_.empty()) {
      const auto rank = static_cast<uint32_t>(queue_.top() >> 32);
      const auto at = static_cast<uint32_t>(queue_.top());
      queue_.pop();
      // Other merges may have changed the pair since it was queued; then its rank changed too.
      if (pair_rank_[at] == rank) merge(at);
    }
  }

  void append_tokens(std::vector<int32_t>& ids) const {
    for (uint32_t at = 0; at < tokens_.size(); at = next_[at]) ids.push_back(tokens_[at]);
  }

 private:
  // Lowest rank first, then leftmost.
  using Queue = std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>>;

  uint64_t candidate(uint32_t at) const { return uint64_t{pair_rank_[at]} << 32 | at; }

  uint32_t rank_after(uint32_t at) const {
    if (next_[at] >= tokens_.size()) return MergeTable::kNoRank;
    return table_.find(tokens_[at], tokens_[next_[at]]).rank;
  }

  void queue_pair(uint32_t at) {
    pair_rank_[at] = rank_after(at);
    if (pair_rank_[at] != MergeTable::kNoRank) queue_.push(candidate(at));
  }

  void merge(uint32_t at) {
    const uint32_t dropped = next_[at];
    tokens_[at] = table_.find(tokens_[at], tokens_[dropped]).merged;
    next_[at] = next_[dropped];
    if (next_[at] < tokens_.size()) previous_[next_[at]] = at;
    pair_rank_[dropped] = MergeTable::kNoRank;
    queue_pair(at);
    if (at > 0) queue_pair(previous_[at]);
  }

  const MergeTable& table_;
  std::vector<int32_t> tokens_;
  std::vector<uint32_t> pair_rank_;  // of each element with the next one
  std::vector<uint32_t> next_;
  std::vector<uint32_t> previous_;
  Queue queue_;
};

// Printable ASCII and the line break: without one of these a vocabulary is damaged.
bool is_of_plain_text(int byte) { return (byte >= 0x20 && byte < 0x7F) || byte == '\n'; }

}  // namespace

MergeTable::MergeTable(size_t num_merges) {
  const size_t num_slots = std::bit_ceil(std::max<size_t>(2 * num_merges, 2));
  entries_.resize(num_slots);
  mask_ = num_slots - 1;
  shift_ = 64 - std::countr_zero(num_slots);
}

bool MergeTable::insert(int32_t left, int32_t right, uint32_t rank, int32_t merged) {
  const uint64_t pair = key(left, right);
  Entry& entry = entries_[slot_of(pair)];
  if (entry.pair == pair) return false;
  entry = {pair, rank, merged};
  return true;
}

BpeModel::BpeModel(std::vector<std::string> tokens, std::vector<BpeMerge> merges,
                   WholeWords whole_words, const std::string& place)
    : tokens_(std::move(tokens)), merges_(std::move(merges)), table_(merges_.size()) {
  std::unordered_map<std::string_view, int32_t> id_of_token;
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (!tokens_[id].empty()) id_of_token.emplace(tokens_[id], static_cast<int32_t>(id));
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char bytes[] = {static_cast<char>(byte)};
    const std::string character = write_byte_alphabet({bytes, 1});
    const auto found = id_of_token.find(character);
    if (found != id_of_token.end()) {
      token_of_byte_[static_cast<size_t>(byte)] = found->second;
    } else if (is_of_plain_text(byte)) {
      throw DataError(cat(place, ".vocab: no token ", show_text(character), " for the byte ", byte,
                          ": text that holds it could not be encoded"));
    } else {
      bytes_without_token_ += bytes[0];
    }
  }
  for (size_t rank = 0; rank < merges_.size(); ++rank) {
    const auto [left, right] = merges_[rank];
    const std::string whole =
        tokens_.at(static_cast<size_t>(left)) + tokens_.at(static_cast<size_t>(right));
    const auto found = id_of_token.find(whole);
    if (found == id_of_token.end()) {
      throw DataError(cat(place, ".merges[", rank, "]: makes ", show_text(whole),
                          ", which is not in the vocabulary"));
    }
    if (!table_.insert(left, right, static_cast<uint32_t>(rank), found->second)) {
      throw DataError(cat(place, ".merges[", rank, "]: the same pair as an earlier merge"));
    }
  }
  if (whole_words == WholeWords::kByMerges) return;
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty()) continue;
    whole_words_.emplace(read_byte_alphabet(tokens_[id]), static_cast<int32_t>(id));
  }
}

void BpeModel::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  if (!whole_words_.empty()) {
    const auto found = whole_words_.find(std::string(word));
    if (found != whole_words_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  if (word.find_first_of(bytes_without_token_) == std::string_view::npos) {
    encode_bytes(word, ids);
    return;
  }
  std::string known;
  for (const char byte : word) {
    if (bytes_without_token_.find(byte) == std::string::npos) known += byte;
  }
  encode_bytes(known, ids);
}

void BpeModel::encode_bytes(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.size() <= kMaxShortWord) {
    encode_short(word, ids);
  } else {
    encode_long(word, ids);
  }
}

void BpeModel::encode_short(std::string_view word, std::vector<int32_t>& ids) const {
  std::array<int32_t, kMaxShortWord> tokens;
  std::array<uint32_t, kMaxShortWord> ranks;  // of each token with the next one
  size_t size = word.size();
  for (size_t i = 0; i < size; ++i) tokens[i] = token_of_byte_[static_cast<uint8_t>(word[i])];
  for (size_t i = 0; i + 1 < size; ++i) ranks[i] = table_.find(tokens[i], tokens[i + 1]).rank;
  while (size > 1) {
    const auto pairs_end = ranks.begin() + static_cast<ptrdiff_t>(size) - 1;
    const auto lowest = std::min_element(ranks.begin(), pairs_end);
    if (*lowest == MergeTable::kNoRank) break;
    const auto at = static_cast<size_t>(lowest - ranks.begin());
    tokens[at] = table_.find(tokens[at], tokens[at + 1]).merged;
    std::copy(tokens.begin() + at + 2, tokens.begin() + size, tokens.begin() + at + 1);
    std::copy(lowest + 1, pairs_end, lowest);
    --size;
    if (at + 1 < size) ranks[at] = table_.find(tokens[at], tokens[at + 1]).rank;
    if (at > 0) ranks[at - 1] = table_.find(tokens[at - 1], tokens[at]).rank;
  }
  ids.insert(ids.end(), tokens.begin(), tokens.begin() + size);
}

void BpeModel::encode_long(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.size() > std::numeric_limits<int32_t>::max()) {
    throw DataError(cat("a word of ", human_bytes(static_cast<int64_t>(word.size())),
                        " without a space in it: the limit is 2 GiB"));
  }
  std::vector<int32_t> tokens(word.size());
  std::transform(word.begin(), word.end(), tokens.begin(),
                 [&](char byte) { return token_of_byte_[static_cast<uint8_t>(byte)]; });
  LongWord long_word(std::move(tokens), table_);
  long_word.merge_all();
  long_word.append_tokens(ids);
}

}  // namespace lmtrain
