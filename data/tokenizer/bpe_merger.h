// The merging half of BPE training.
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

// All distinct words as one array of cells, a cell per initial token (a byte of BPE, a character of
// WordPiece) and a border before, between and after the words. A token of n initial ones covers n
// cells and writes its id into the first and the last one, so that both neighbours are found
// without links. Words lie in the order of falling counts, so that the count at a position is
// looked up in few runs, and positions in ascending order go with the words from left to right.
class TokenCells {
 public:
  static constexpr uint32_t kBorder = 0xFFFFFFFF;
  static constexpr uint32_t kInside = 0xFFFFFFFE;

  // Appends the initial tokens of a word, at most one for each of its bytes.
  using InitialTokens = std::function<void(std::string_view word, std::vector<uint32_t>& tokens)>;

  // Throws DataError when there are over 4 billion cells.
  TokenCells(const std::vector<WordCounts>& words, const InitialTokens& initial_tokens);

  size_t size() const { return cells_.size(); }
  uint32_t operator[](size_t position) const { return cells_[position]; }
  // Makes the tokens at `left` and `right` (of `right_size` cells), which are neighbours, one.
  void merge(uint32_t left, uint32_t right, uint32_t right_size, uint32_t token);

  // Counts of words by position, for positions that ascend.
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
      uint32_t end;  // first position behind the words of this count
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

// Makes merges until there are `max_merges` or no pair is left, by the rule of bpe_trainer.h. The
// ids of the merged tokens follow `num_base_tokens`; each of the base tokens covers one cell.
// `progress` is called now and then with the number of merges done.
std::vector<BpeMerge> merge_most_frequent_pairs(TokenCells cells, uint32_t num_base_tokens,
                                                size_t max_merges, WorkerPool& pool,
                                                const std::function<void(size_t)>& progress);

}  // namespace lmtrain
