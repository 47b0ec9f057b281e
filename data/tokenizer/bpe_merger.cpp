#include "data/tokenizer/bpe_merger.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lmtrain {

namespace {

// Waking the threads takes longer than a merge with fewer positions than this.
constexpr size_t kMinPositionsPerThread = size_t{1} << 14;

// The changes that one merge makes on one side of the merged token: for each neighbouring token,
// the pairs with it.
class Neighbours {
 public:
  struct Neighbour {
    int64_t count = 0;  // of pairs, weighted by the counts of their words
    size_t num_positions = 0;
    uint32_t* next_position = nullptr;  // where fill() writes
  };

  explicit Neighbours(size_t max_tokens) : by_token_(max_tokens) {}

  void add(uint32_t token, uint32_t position, int64_t count) {
    Neighbour& neighbour = by_token_[token];
    if (neighbour.num_positions++ == 0) tokens_.push_back(token);
    neighbour.count += count;
    events_.push_back({token, position});
  }

  const std::vector<uint32_t>& tokens() const { return tokens_; }
  Neighbour& operator[](uint32_t token) { return by_token_[token]; }

  // Writes the positions in the order of add() to where next_position points.
  void fill() {
    for (const auto [token, position] : events_) *by_token_[token].next_position++ = position;
  }

  void clear() {
    for (const uint32_t token : tokens_) by_token_[token] = {};
    tokens_.clear();
    events_.clear();
  }

 private:
  struct Event {
    uint32_t token;
    uint32_t position;
  };
  std::vector<Neighbour> by_token_;
  std::vector<uint32_t> tokens_;  // those with positions, in order of appearance
  std::vector<Event> events_;
};

// The changes that one thread finds in its share of a merge's positions.
struct Share {
  explicit Share(size_t max_tokens) : before(max_tokens), after(max_tokens) {}
  Neighbours before;  // positions of pairs (neighbour, merged token)
  Neighbours after;   // positions of pairs (merged token, neighbour)
};

class Merger {
 public:
  Merger(TokenCells cells, uint32_t num_base_tokens, size_t max_merges, WorkerPool& pool)
      : cells_(std::move(cells)), pool_(pool), sizes_(num_base_tokens, 1) {
    const size_t max_tokens = num_base_tokens + max_merges;
    for (int thread = 0; thread < pool.num_threads(); ++thread) shares_.emplace_back(max_tokens);
    count_initial_pairs();
  }

  // Returns false when no pair is left.
  bool merge_next(std::vector<BpeMerge>& merges) {
    const PairCounts::Top top = pairs_.pop();
    if (top.count == 0) return false;
    const auto merged = static_cast<uint32_t>(sizes_.size());
    sizes_.push_back(sizes_[top.pair.left] + sizes_[top.pair.right]);
    merges.push_back({static_cast<int32_t>(top.pair.left), static_cast<int32_t>(top.pair.right)});

    const auto bounds = divide(top.positions);
    on_threads(bounds.size() - 1, [&](size_t t) {
      merge_positions(top.pair, merged, top.positions.subspan(bounds[t], bounds[t + 1] - bounds[t]),
                      shares_[t]);
    });
    update_pairs(top.pair, merged, bounds.size() - 1);
    return true;
  }

 private:
  // Collects the pairs of initial tokens in two passes over the cells: counts, then positions.
  void count_initial_pairs() {
    const size_t num_tokens = sizes_.size();
    struct Pair {
      int64_t count = 0;
      size_t num_positions = 0;
      uint32_t* next_position = nullptr;
    };
    std::vector<Pair> pairs(num_tokens * num_tokens);
    const auto for_each_pair = [&](const auto& use) {
      for (size_t i = 1; i + 1 < cells_.size(); ++i) {
        if (cells_[i] == TokenCells::kBorder || cells_[i + 1] == TokenCells::kBorder) continue;
        use(pairs[cells_[i] * num_tokens + cells_[i + 1]], static_cast<uint32_t>(i));
      }
    };
    TokenCells::CountCursor counts(cells_);
    for_each_pair([&](Pair& pair, uint32_t position) {
      pair.count += counts.at(position);
      ++pair.num_positions;
    });
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i].num_positions == 0) continue;
      const auto positions = arena_.allocate(pairs[i].num_positions);
      pairs[i].next_position = positions.data();
      pairs_.insert({static_cast<uint32_t>(i / num_tokens), static_cast<uint32_t>(i % num_tokens)},
                    pairs[i].count, positions);
    }
    for_each_pair([](Pair& pair, uint32_t position) { *pair.next_position++ = position; });
  }

  // Returns the bounds of the threads' shares. They lie between words, so that no thread touches
  // the cells of another.
  std::vector<size_t> divide(std::span<const uint32_t> positions) const {
    const size_t max_shares = std::min(shares_.size(), positions.size() / kMinPositionsPerThread);
    std::vector<size_t> bounds = {0};
    for (size_t share = 1; share < max_shares; ++share) {
      const size_t bound = word_start(positions, positions.size() * share / max_shares);
      if (bound > bounds.back() && bound < positions.size()) bounds.push_back(bound);
    }
    bounds.push_back(positions.size());
    return bounds;
  }

  // Returns the first index from i on whose position is in another word than the position before
  // it, or positions.size() when there is none near.
  size_t word_start(std::span<const uint32_t> positions, size_t i) const {
    constexpr uint32_t kMaxCells = 1 << 12;
    const uint32_t first = positions[i - 1];
    uint32_t cell = first;
    for (; i < positions.size() && positions[i] - first < kMaxCells; ++i) {
      for (; cell < positions[i]; ++cell) {
        if (cells_[cell] == TokenCells::kBorder) return i;
      }
    }
    return positions.size();
  }

  void on_threads(size_t num_shares, const std::function<void(size_t)>& job) {
    if (num_shares == 1) return job(0);
    pool_.run([&](int thread) {
      if (static_cast<size_t>(thread) < num_shares) job(static_cast<size_t>(thread));
    });
  }

  // Merges the pair at those of the positions where it still stands.
  void merge_positions(TokenPair pair, uint32_t merged, std::span<const uint32_t> positions,
                       Share& share) {
    const uint32_t left_size = sizes_[pair.left];
    const uint32_t right_size = sizes_[pair.right];
    TokenCells::CountCursor counts(cells_);
    for (const uint32_t left : positions) {
      const uint32_t right = left + left_size;
      if (cells_[left] != pair.left || cells_[right] != pair.right) continue;
      const int64_t count = counts.at(left);
      const uint32_t before = cells_[left - 1];
      const uint32_t after = cells_[right + right_size];
      if (before != TokenCells::kBorder) share.before.add(before, left - sizes_[before], count);
      if (after != TokenCells::kBorder) share.after.add(after, left, count);
      cells_.merge(left, right, right_size, merged);
    }
  }

  // Brings pairs_ in line with what the first `num_shares` shares have found, and empties them.
  void update_pairs(TokenPair pair, uint32_t merged, size_t num_shares) {
    insert_pairs(num_shares, &Share::before, [&](uint32_t token) {
      return TokenPair{token, merged};
    });
    insert_pairs(num_shares, &Share::after, [&](uint32_t token) {
      return TokenPair{merged, token};
    });
    on_threads(num_shares, [&](size_t t) {
      shares_[t].before.fill();
      shares_[t].after.fill();
    });
    // The subtraction comes last, because a neighbour may be the merged token itself: in "abab" the
    // second merge removes the pair (ab, a) that the first one added.
    for (size_t t = 0; t < num_shares; ++t) {
      Share& share = shares_[t];
      for (const uint32_t token : share.before.tokens()) {
        pairs_.subtract({token, pair.left}, share.before[token].count);
      }
      for (const uint32_t token : share.after.tokens()) {
        pairs_.subtract({pair.right, token}, share.after[token].count);
      }
      share.before.clear();
      share.after.clear();
    }
  }

  template <class MakePair>
  void insert_pairs(size_t num_shares, Neighbours Share::*side, const MakePair& make_pair) {
    for (size_t t = 0; t < num_shares; ++t) {
      for (const uint32_t token : (shares_[t].*side).tokens()) {
        if ((shares_[t].*side)[token].next_position != nullptr) continue;  // an earlier share's
        size_t num_positions = 0;
        int64_t count = 0;
        for (size_t u = t; u < num_shares; ++u) {
          num_positions += (shares_[u].*side)[token].num_positions;
          count += (shares_[u].*side)[token].count;
        }
        const auto positions = arena_.allocate(num_positions);
        uint32_t* next_position = positions.data();
        for (size_t u = t; u < num_shares; ++u) {
          (shares_[u].*side)[token].next_position = next_position;
          next_position += (shares_[u].*side)[token].num_positions;
        }
        pairs_.insert(make_pair(token), count, positions);
      }
    }
  }

  TokenCells cells_;
  WorkerPool& pool_;
  std::vector<uint32_t> sizes_;  // cells of each token
  PositionArena arena_;
  PairCounts pairs_;
  std::vector<Share> shares_;  // one per thread
};

}  // namespace

std::vector<BpeMerge> merge_most_frequent_pairs(TokenCells cells, uint32_t num_base_tokens,
                                                size_t max_merges, WorkerPool& pool,
                                                const std::function<void(size_t)>& progress) {
  constexpr size_t kMergesPerReport = 64;
  std::vector<BpeMerge> merges;
  Merger merger(std::move(cells), num_base_tokens, max_merges, pool);
  while (merges.size() < max_merges && merger.merge_next(merges)) {
    if (merges.size() % kMergesPerReport == 0) progress(merges.size());
  }
  return merges;
}

}  // namespace lmtrain
