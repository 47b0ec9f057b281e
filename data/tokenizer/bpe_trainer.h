// Training of a byte-level BPE vocabulary, merge for merge that of the Hugging Face `tokenizers`
// 0.23 trainer (byte-level pre-tokeniser and alphabet, min_frequency 0).
//
// The rule: ids are the special tokens, the 256 bytes by the code point of their character, then
// one token per merge. Each merge joins the pair of adjacent tokens that occurs most often ('aaaa'
// holds three pairs), of equal ones that with the smallest left id, then the smallest right id; all
// its occurrences are merged from left to right.
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
  int64_t max_memory_bytes = INT64_C(16) << 30;  // of what training keeps
  // The first ids, in this order. None may be what a text could hold as one word.
  std::vector<std::string> special_tokens = {std::string(kEndOfText)};
};

// Pulls documents one by one and keeps only their distinct words, so that memory grows with the
// vocabulary of the text and not with its length; `progress` is told the share of merges done, from
// the calling thread. The result never depends on num_threads. A text with too few pairs to merge
// gives a smaller vocabulary. Throws ConfigError when an option is out of range, DataError when
// the distinct words need more than max_memory_bytes, and what next_document throws.
Tokenizer train_bpe(const NextDocument& next_document, const BpeTrainerOptions& options,
                    const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
