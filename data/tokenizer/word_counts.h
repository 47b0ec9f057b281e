// The distinct words of a corpus with their counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/worker_pool.h"

namespace lmtrain {

// A hash table of words. Their bytes lie one after another in one block.
class WordCounts {
 public:
  WordCounts() : slots_(kMinSlots, kEmpty) {}

  // `hash` is hash_text(word).
  void add(std::string_view word, uint64_t hash, int64_t count);
  void clear();

  size_t size() const { return words_.size(); }
  std::string_view word(size_t i) const {
    return {bytes_.data() + words_[i].begin, words_[i].size};
  }
  uint64_t hash(size_t i) const { return words_[i].hash; }
  int64_t count(size_t i) const { return words_[i].count; }
  // Returns the bytes of all words together.
  int64_t num_bytes() const { return static_cast<int64_t>(bytes_.size()); }

 private:
  struct Word {
    uint64_t hash;
    size_t begin;
    size_t size;
    int64_t count;
  };
  static constexpr size_t kMinSlots = 1024;
  static constexpr uint32_t kEmpty = 0xFFFFFFFF;

  size_t slot_of(std::string_view word, uint64_t hash) const;
  void grow();

  std::vector<Word> words_;
  std::string bytes_;
  std::vector<uint32_t> slots_;  // indexes into words_, by open addressing
};

// Normalises all documents, splits them into words and counts the words, on the threads of the
// pool. `next_document` is called by one thread at a time. The parts of the result have no word in
// common. The order of words depends on the threads; the counts do not. Throws DataError as soon as
// the distinct words would need more than `max_memory_bytes` in training,
// and what `next_document` throws.
std::vector<WordCounts> count_words(
    const std::function<bool(std::string_view& document)>& next_document,
    const Normalizer& normalizer, const PreTokenizer& pre_tokenizer, int64_t max_memory_bytes,
    WorkerPool& pool);

}  // namespace lmtrain
