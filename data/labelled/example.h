// A sample of labelled text as a model reads it, and files of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/durable_file.h"
#include "data/labelled/labelled_config.h"

namespace lmtrain {

struct Example {
  std::vector<int32_t> ids;       // with special tokens
  std::vector<int32_t> type_ids;  // as many
  // classification: the label. tagging: a label for each token, -1 where it has none (special ones,
  // and those that go on with a word). question_answering: the answer's first and last token; both
  // 0 where this window of the passage does not hold it.
  std::vector<int32_t> labels;
  double value = 0;  // of a regression
  int64_t text = 0;  // the place of its text among those of its file; a passage may have several
  // question_answering: where the window's part of the passage begins and ends among the tokens,
  // and the first byte behind each of these tokens and before it, in the passage.
  int64_t passage_begin = 0;
  std::vector<int32_t> bytes;  // of the passage's tokens: first byte, last byte + 1
};

// Examples on disk, checked by a hash of all of them.
class ExampleFile {
 public:
  // Throws DataError for a damaged file.
  static ExampleFile open(const std::filesystem::path& path);
  // `tokenizer_hash` is of the tokenizer that made the ids.
  static void write(const std::filesystem::path& path, const std::vector<Example>& examples,
                    uint64_t tokenizer_hash);

  int64_t size() const { return num_examples_; }
  int64_t num_tokens() const { return num_tokens_; }
  int64_t longest() const { return longest_; }  // in tokens
  uint64_t tokenizer_hash() const { return tokenizer_hash_; }
  // Equal only for files of the same examples.
  uint64_t fingerprint() const { return fingerprint_; }

  int64_t length(int64_t index) const;
  Example at(int64_t index) const;

 private:
  explicit ExampleFile(const std::filesystem::path& path);

  template <class T>
  std::span<const T> array(int64_t& at, int64_t count) const;
  void check(const std::filesystem::path& path) const;

  std::shared_ptr<const MappedFile> file_;
  int64_t num_examples_ = 0;
  int64_t num_tokens_ = 0;
  int64_t longest_ = 0;
  uint64_t tokenizer_hash_ = 0;
  uint64_t fingerprint_ = 0;
  std::span<const int64_t> token_begins_;  // one more than examples, as the next two
  std::span<const int64_t> label_begins_;
  std::span<const int64_t> byte_begins_;
  std::span<const int64_t> texts_;
  std::span<const int64_t> passage_begins_;
  std::span<const double> values_;
  std::span<const int32_t> ids_;
  std::span<const int32_t> type_ids_;
  std::span<const int32_t> labels_;
  std::span<const int32_t> bytes_;
};

}  // namespace lmtrain
