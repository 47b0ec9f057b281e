// Trains a byte-level BPE vocabulary with the same merges as the trainer of Hugging Face
// `tokenizers` 0.23 (byte-level pre-tokeniser and alphabet, min_frequency 0).
//
// The rule: the ids are first the special tokens, then the 256 bytes by the code point of their
// character, then one token per merge. Each merge joins the pair of adjacent tokens that occurs
// most often ('aaaa' holds three pairs); ties go to the smallest left id, then to the smallest
// right id. All its occurrences are merged from left to right.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/trainer_input.h"

namespace lmtrain {

struct BpeTrainerOptions {
  int64_t vocab_size = 4096;  // up to 2^24: the special tokens, 256 bytes, merges
  int num_threads = 1;
  int64_t max_memory_bytes = INT64_C(16) << 30;  // limit of the memory that training keeps
  // These get the first ids, in this order. None may be a text that the split keeps as one word.
  std::vector<std::string> special_tokens = {std::string(kEndOfText)};
};

// Reads documents one by one and keeps only their distinct words, so memory grows with the number
// of distinct words and not with the length of the text. `progress` is told the share of merges
// done, on the calling thread. The result does not depend on num_threads. A text with too few pairs
// to merge gives a smaller vocabulary. Throws ConfigError when an option is out of range, DataError
// when the distinct words need more than max_memory_bytes, and what next_document throws.
Tokenizer train_bpe(const NextDocument& next_document, const BpeTrainerOptions& options,
                    const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
