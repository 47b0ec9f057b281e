// Makes a tokenizer and token files in the cache from the sources that a config names.
//
//   CACHE/tokenizer-KEY/
//     tokenizer.json, hash                KEY: kind, vocabulary size, use, content of the sources
//   CACHE/tokens-KEY/
//     train.tokens, validation.tokens     KEY: tokenizer, content, validation_fraction, whether
//                                         lines are kept apart
//
// A cache entry exists completely or not at all, whenever a process is killed. A damaged entry is
// made again, with a warning. Processes that need the same entry at the same time wait for the one
// that makes it.
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

// What rank 0 sends to the other ranks: the keys of the cache entries, and the fingerprints of the
// token files that must be in them.
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
  std::optional<TokenFile> validation;  // none when data.validation_fraction is 0
  // The number of documents of each source; both files hold the sources one after another.
  std::vector<int64_t> train_documents;
  std::vector<int64_t> validation_documents;  // empty without a validation file
  bool was_in_cache = false;                  // whether the tokens had been made before
};

// Is told the stage ("reading sources", "training tokenizer", "tokenising") and the share of it
// that is done.
using PrepareProgress = std::function<void(std::string_view stage, double fraction)>;

struct PrepareOptions {
  TokenizerUse use = TokenizerUse::kNextToken;
  int num_threads = 1;
  PrepareProgress progress = {};
  std::filesystem::path runs = {};  // left out of the sources, as data.cache is; may be empty
};

// When the cache has both entries, only reads sources and token files once to compare their hashes.
// The tokenizer is trained on all documents, or loaded from tokenizer.path. Throws DataError when
// sources are missing, empty, not UTF-8 or change while they are read, or when they hold too little
// text for one training sequence and, if there is validation, one validation sequence. Throws
// IoError when the cache cannot be written.
PreparedData prepare(const DataConfig& data, const TokenizerConfig& tokenizer,
                     const PrepareOptions& options);

// Opens what rank 0 prepared, on the ranks that waited for it. Throws DataError when this rank does
// not see the cache entry or finds other content in it.
PreparedData open_prepared(const DataConfig& data, const PreparedKeys& keys);

}  // namespace lmtrain
