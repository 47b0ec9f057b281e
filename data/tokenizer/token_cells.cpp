#include <algorithm>

#include "base/error.h"
#include "data/tokenizer/bpe_merger.h"

namespace lmtrain {

TokenCells::TokenCells(const std::vector<WordCounts>& words, const InitialTokens& initial_tokens) {
  struct Reference {
    int64_t count;
    uint32_t part;
    uint32_t index;
  };
  std::vector<Reference> order;
  size_t num_cells = 1;
  for (size_t part = 0; part < words.size(); ++part) {
    for (size_t i = 0; i < words[part].size(); ++i) {
      if (words[part].word(i).size() < 2) continue;  // has no pair
      order.push_back(
          {words[part].count(i), static_cast<uint32_t>(part), static_cast<uint32_t>(i)});
      num_cells += words[part].word(i).size() + 1;
    }
  }
  if (num_cells >= kInside) {
    throw DataError("over 4 GiB of different words: train the tokenizer on a part of the text");
  }
  std::sort(order.begin(), order.end(),
            [](const Reference& a, const Reference& b) { return a.count > b.count; });

  cells_.reserve(num_cells);
  cells_.push_back(kBorder);
  for (const Reference& word : order) {
    const size_t begin = cells_.size();
    initial_tokens(words[word.part].word(word.index), cells_);
    if (cells_.size() < begin + 2) {
      cells_.resize(begin);
      continue;
    }
    cells_.push_back(kBorder);
    if (runs_.empty() || runs_.back().count != word.count) runs_.push_back({0, word.count});
    runs_.back().end = static_cast<uint32_t>(cells_.size());
  }
}

void TokenCells::merge(uint32_t left, uint32_t right, uint32_t right_size, uint32_t token) {
  cells_[right - 1] = kInside;
  cells_[right] = kInside;
  cells_[left] = token;
  cells_[right + right_size - 1] = token;
}

void TokenCells::CountCursor::seek(uint32_t position) {
  run_ = std::upper_bound(run_, end_, position,
                          [](uint32_t value, const Run& run) { return value < run.end; });
}

}  // namespace lmtrain
