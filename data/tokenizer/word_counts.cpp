#include "data/tokenizer/word_counts.h"

#include <array>
#include <atomic>
#include <limits>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {

namespace {

constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr size_t kMaxCopiedDocument = size_t{16} << 20;
constexpr size_t kMaxLocalWords = size_t{1} << 17;
constexpr int64_t kMaxLocalBytes = INT64_C(8) << 20;
constexpr int kNumPartBits = 6;

// Peak memory of training for each distinct word and for each byte of it (measured: cells,
// positions, pair counts, queue and the table of words).
constexpr int64_t kTrainingBytesPerWord = 32;
constexpr int64_t kTrainingBytesPerByte = 56;

// The distinct words of all threads, divided into parts by the words' hashes, so that threads
// seldom wait for each other.
class SharedCounts {
 public:
  explicit SharedCounts(int64_t max_memory_bytes)
      : max_memory_bytes_(max_memory_bytes), parts_(kNumParts) {}

  // Adds all words of `local`, then clears it.
  void take(WordCounts& local) {
    std::array<std::vector<size_t>, kNumParts> words_of_part;
    for (size_t i = 0; i < local.size(); ++i) {
      words_of_part[local.hash(i) >> (64 - kNumPartBits)].push_back(i);
    }
    for (size_t part = 0; part < kNumParts; ++part) add(part, local, words_of_part[part]);
    local.clear();
    if (memory_bytes_ > max_memory_bytes_) {
      throw DataError(cat("the text has too many different words to train a tokenizer within ",
                          human_bytes(max_memory_bytes_), ": train it on a part of the text"));
    }
  }

  std::vector<WordCounts> result() { return std::move(parts_); }

 private:
  static constexpr size_t kNumParts = size_t{1} << kNumPartBits;

  void add(size_t part, const WordCounts& local, const std::vector<size_t>& words) {
    const std::lock_guard lock(mutexes_[part]);
    WordCounts& counts = parts_[part];
    const int64_t before = training_bytes(counts);
    for (const size_t i : words) counts.add(local.word(i), local.hash(i), local.count(i));
    memory_bytes_ += training_bytes(counts) - before;
  }

  static int64_t training_bytes(const WordCounts& counts) {
    return static_cast<int64_t>(counts.size()) * kTrainingBytesPerWord +
           counts.num_bytes() * kTrainingBytesPerByte;
  }

  int64_t max_memory_bytes_;
  std::atomic<int64_t> memory_bytes_ = 0;
  std::array<std::mutex, kNumParts> mutexes_;
  std::vector<WordCounts> parts_;
};

// Counts the words of the documents that one thread gets.
class LocalCounter {
 public:
  LocalCounter(const Normalizer& normalizer, const PreTokenizer& pre_tokenizer,
               SharedCounts& shared)
      : normalizer_(normalizer), pre_tokenizer_(pre_tokenizer), shared_(shared) {}

  void count(std::string_view document) {
    std::array<std::string_view, 256> words;
    const std::string_view normal = normalizer_.normalize(document, storage_);
    size_t position = 0;
    while (const size_t size = pre_tokenizer_.next_words(normal, position, words)) {
      for (size_t i = 0; i < size; ++i) local_.add(words[i], hash_text(words[i]), 1);
      if (local_.size() >= kMaxLocalWords || local_.num_bytes() >= kMaxLocalBytes) finish();
    }
  }
  void finish() { shared_.take(local_); }

 private:
  const Normalizer& normalizer_;
  const PreTokenizer& pre_tokenizer_;
  SharedCounts& shared_;
  std::string storage_;
  WordCounts local_;
};

// Gives copies of the documents to the threads: the source's view is invalid after its next call.
class DocumentQueue {
 public:
  explicit DocumentQueue(const std::function<bool(std::string_view&)>& next_document)
      : next_document_(next_document) {}

  // Counts the next few documents. Returns false when there were none.
  bool count_some(LocalCounter& counter) {
    std::string text;
    std::vector<size_t> ends;
    if (!fetch(text, ends, counter)) return false;
    size_t begin = 0;
    for (const size_t end : ends) {
      counter.count(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
    return true;
  }

  // After this call the threads get no more documents.
  void stop() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }

 private:
  bool fetch(std::string& text, std::vector<size_t>& ends, LocalCounter& counter) {
    const std::lock_guard lock(mutex_);
    std::string_view document;
    while (!ended_ && text.size() < kBatchBytes) {
      if (!next_document_(document)) {
        ended_ = true;
      } else if (document.size() > kMaxCopiedDocument) {
        counter.count(document);  // under the lock, since a copy would take too much memory
      } else {
        text += document;
        ends.push_back(text.size());
      }
    }
    return !ends.empty();
  }

  const std::function<bool(std::string_view&)>& next_document_;
  std::mutex mutex_;
  bool ended_ = false;
};

}  // namespace

void WordCounts::add(std::string_view word, uint64_t hash, int64_t count) {
  const size_t slot = slot_of(word, hash);
  if (slots_[slot] != kEmpty) {
    words_[slots_[slot]].count += count;
    return;
  }
  if (words_.size() + 1 >= kEmpty) throw DataError("over 4 billion different words");
  slots_[slot] = static_cast<uint32_t>(words_.size());
  words_.push_back({hash, bytes_.size(), word.size(), count});
  bytes_ += word;
  if (words_.size() * 2 > slots_.size()) grow();
}

void WordCounts::clear() {
  words_.clear();
  bytes_.clear();
  slots_.assign(slots_.size(), kEmpty);
}

size_t WordCounts::slot_of(std::string_view word_text, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const uint32_t index = slots_[slot];
    if (index == kEmpty) return slot;
    if (words_[index].hash == hash && word(index) == word_text) return slot;
  }
}

void WordCounts::grow() {
  slots_.assign(slots_.size() * 2, kEmpty);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < words_.size(); ++i) {
    size_t slot = words_[i].hash & mask;
    while (slots_[slot] != kEmpty) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(i);
  }
}

std::vector<WordCounts> count_words(const std::function<bool(std::string_view&)>& next_document,
                                    const Normalizer& normalizer, const PreTokenizer& pre_tokenizer,
                                    int64_t max_memory_bytes, WorkerPool& pool) {
  SharedCounts shared(max_memory_bytes);
  DocumentQueue documents(next_document);
  pool.run([&](int) {
    try {
      LocalCounter counter(normalizer, pre_tokenizer, shared);
      while (documents.count_some(counter)) {
      }
      counter.finish();
    } catch (...) {
      documents.stop();
      throw;
    }
  });
  return shared.result();
}

}  // namespace lmtrain
