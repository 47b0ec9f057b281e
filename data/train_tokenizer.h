// Trains the tokenizer that a config describes.
#pragma once

#include <cstdint>
#include <functional>

#include "data/data_config.h"
#include "data/documents.h"
#include "data/tokenizer/bpe_trainer.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// What the model predicts: the next token (gpt2, llama) or masked tokens (bert), which needs
// special tokens of its own.
enum class TokenizerUse { kNextToken, kMaskedTokens };

struct TokenizerTraining {
  TokenizerUse use = TokenizerUse::kNextToken;
  int num_threads = 1;
  int64_t max_memory_bytes = BpeTrainerOptions{}.max_memory_bytes;
};

// Trains on all documents that the reader has left, and ignores config.path. Throws what train_bpe,
// train_wordpiece and the reader throw.
Tokenizer train_tokenizer(DocumentReader& reader, const TokenizerConfig& config,
                          const TokenizerTraining& training,
                          const std::function<void(double fraction)>& progress);

}  // namespace lmtrain
