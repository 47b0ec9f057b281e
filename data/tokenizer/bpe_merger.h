// The second half of BPE training: making the merges from the counted words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "data/tokenizer/bpe_model.h"
#include "data/tokenizer/pair_counts.h"
#include "data/tokenizer/word_counts.h"
#include "data/tokenizer/worker_pool.h"

namespace lmtrain {

// All distinct words as one array of cells: one cell per initial token (a byte for BPE, a character
// for WordPiece), with a border cell before, between and after the words. A token made of n initial
// tokens covers n cells and writes its id into the first and the last one, so that both neighbours
// are found without links. Words are sorted by descending count, so that the count at a position is
// looked up in few runs.
class TokenCells {
 public:
  static constexpr uint32_t kBorder = 0xFFFFFFFF;
  static constexpr uint32_t kInside = 0xFFFFFFFE;

  // Appends the initial tokens of a word, at most one for each byte of it.
  using InitialTokens = std::function<void(std::string_view word, std::vector<uint32_t>& tokens)>;

  // Throws DataError when there are over 4 billion cells.
  TokenCells(const std::vector<WordCounts>& words, const InitialTokens& initial_tokens);

  size_t size() const { return cells_.size(); }
  uint32_t operator[](size_t position) const { return cells_[position]; }
  // Merges the neighbouring tokens that begin at `left` and `right` into `token`. The right one has
  // `right_size` cells.
  void merge(uint32_t left, uint32_t right, uint32_t right_size, uint32_t token);

  // Looks up the count of the word at a position. Positions must be asked for in ascending order.
  class CountCursor {
   public:
    explicit CountCursor(const TokenCells& cells) : run_(cells.runs_.data()) {
      end_ = run_ + cells.runs_.size();
    }
    int64_t at(uint32_t position) {
      if (position >= run_->end) seek(position);
      return run_->count;
    }

   private:
    friend class TokenCells;
    struct Run {
      uint32_t end;  // first position after the words of this count
      int64_t count;
    };
    void seek(uint32_t position);

    const Run* run_;
    const Run* end_;
  };

 private:
  std::vector<uint32_t> cells_;
  std::vector<CountCursor::Run> runs_;
};

// Makes merges by the rule of bpe_trainer.h until there are `max_merges` or no pair is left. The
// base tokens have the ids below `num_base_tokens` and cover one cell each; the ids of the merged
// tokens follow. `progress` is called from time to time with the number of merges done.
std::vector<BpeMerge> merge_most_frequent_pairs(TokenCells cells, uint32_t num_base_tokens,
                                                size_t max_merges, WorkerPool& pool,
                                                const std::function<void(size_t)>& progress);

}  // namespace lmtrain
