// The tokenizer that a config asks to be trained, of whatever kind.
#pragma once

#include <cstdint>
#include <functional>

#include "data/data_config.h"
#include "data/documents.h"
#include "data/tokenizer/bpe_trainer.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// What tokens are for: to predict the next one (gpt2, llama) or masked ones (bert), which takes
// special tokens of its own.
enum class TokenizerUse { kNextToken, kMaskedTokens };

struct TokenizerTraining {
  TokenizerUse use = TokenizerUse::kNextToken;
  int num_threads = 1;
  int64_t max_memory_bytes = BpeTrainerOptions{}.max_memory_bytes;
};

// On all documents that the reader has left; config.path does not count. Throws as train_bpe and
// train_wordpiece, and what the reader throws.
Tokenizer train_tokenizer(DocumentReader& reader, const TokenizerConfig& config,
                          const TokenizerTraining& training,
                          const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
