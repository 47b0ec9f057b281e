// From the sources that a config names to a tokenizer and token files in the cache.
//
//   CACHE/tokenizer-KEY/
//     tokenizer.json, hash                KEY: kind, vocabulary size, use, content of the sources
//   CACHE/tokens-KEY/
//     train.tokens, validation.tokens     KEY: tokenizer, content, validation_fraction, whether
//                                         lines are kept apart
//
// An entry is whole or not there, whatever is killed when; a damaged one is made again, with a
// warning. Processes that prepare the same at once wait for one another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "data/data_config.h"
#include "data/token_file.h"
#include "data/tokenizer/tokenizer.h"
#include "data/train_tokenizer.h"

namespace lmtrain {

// What rank 0 tells the others: four numbers that name the cache entries and what must be in them.
struct PreparedKeys {
  uint64_t tokenizer_key = 0;
  uint64_t tokens_key = 0;
  uint64_t train_fingerprint = 0;
  uint64_t validation_fingerprint = 0;  // 0 without a validation file
};

struct PreparedData {
  PreparedKeys keys;
  std::filesystem::path tokenizer_path;  // the tokenizer.json in the cache
  Tokenizer tokenizer;
  TokenFile train;
  std::optional<TokenFile> validation;   // none when data.validation_fraction is 0
  std::vector<int64_t> train_documents;  // of each source, which follow each other in `train`
};

// Told the stage ("reading sources", "training tokenizer", "tokenising") and the share of it done.
using PrepareProgress = std::function<void(std::string_view stage, double fraction)>;

struct PrepareOptions {
  TokenizerUse use = TokenizerUse::kNextToken;
  int num_threads = 1;
  PrepareProgress progress = {};
};

// Returns at once when the cache has it all, but for reading sources and token files once to
// compare their hashes. The tokenizer is trained on all documents, or loaded from tokenizer.path.
// Throws DataError when sources are missing, empty or not UTF-8, change meanwhile, or hold too
// little for one sequence of training and, where asked for, of validation; IoError when the cache
// cannot be written.
PreparedData prepare(const DataConfig& data, const TokenizerConfig& tokenizer,
                     const PrepareOptions& options);

// For the ranks that waited: opens what rank 0 prepared. Throws DataError when this rank does not
// see the cache entry, or another content in it.
PreparedData open_prepared(const DataConfig& data, const PreparedKeys& keys);

}  // namespace lmtrain
