#include "data/prepare.h"

#include <bit>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/cache_entry.h"
#include "data/documents.h"
#include "data/masked_loader.h"
#include "data/next_token_loader.h"
#include "data/source_files.h"
#include "data/tokenise.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Parts of the keys. Raise them when the same sources would give another tokenizer, or other files
// of tokens.
constexpr int kTokenizerVersion = 1;
constexpr int kTokensVersion = 2;

constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kTokenizerHashFile = "hash";

std::string tokenizer_entry(uint64_t key) { return cat("tokenizer-", hex16(key)); }
std::string tokens_entry(uint64_t key) { return cat("tokens-", hex16(key)); }

struct Sources {
  std::vector<SourceFile> files;
  uint64_t fingerprint;  // of their bytes, and of the policy
  Utf8Policy utf8;
};

struct TokenFiles {
  TokenFile train;
  std::optional<TokenFile> validation;
  std::vector<int64_t> train_documents;  // number of each source
  std::vector<int64_t> validation_documents;
  bool were_there = true;  // in the cache, undamaged
};

// Opens the cached tokenizer. Throws DataError or IoError when the entry is damaged.
Tokenizer open_tokenizer(const fs::path& folder) {
  Tokenizer tokenizer = Tokenizer::load(folder / kTokenizerFile);
  const uint64_t expected = parse_hex16(read_file(folder / kTokenizerHashFile, 16));
  if (tokenizer.hash() != expected) {
    throw DataError(cat(folder.string(), ": expected a tokenizer of hash ", hex16(expected),
                        ", found ", hex16(tokenizer.hash())));
  }
  return tokenizer;
}

void save_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
  tokenizer.save(folder / kTokenizerFile);
  write_file_durably(folder / kTokenizerHashFile, hex16(tokenizer.hash()));
}

Tokenizer train_on(const Sources& sources, const TokenizerConfig& config,
                   const PrepareOptions& options) {
  DocumentReader reader(sources.files, sources.utf8);
  Tokenizer tokenizer =
      train_tokenizer(reader, config, {.use = options.use, .num_threads = options.num_threads},
                      [&](double fraction) { options.progress("training tokenizer", fraction); });
  if (reader.num_documents() == 0) {
    warn_of_invalid_text(reader.gate());
    refuse_empty_sources(reader.num_empty_documents());
  }
  if (tokenizer.vocab_size() < config.vocab_size) {
    log_warn(cat("the text gives a vocabulary of ", with_commas(tokenizer.vocab_size()),
                 " entries, not the ", with_commas(config.vocab_size),
                 " of tokenizer.vocab_size: there is no pair of tokens left to merge"));
  }
  return tokenizer;
}

Tokenizer load_tokenizer(const std::string& path, TokenizerUse use) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw DataError(cat("tokenizer.path: ", path, " does not exist"));
  Tokenizer tokenizer = Tokenizer::load(path);
  if (use == TokenizerUse::kMaskedTokens) require_masking_tokens(tokenizer, "tokenizer.path");
  if (tokenizer.end_of_text() < 0) {
    throw DataError(cat("tokenizer.path: ", path, " has no special token ", kEndOfText,
                        ", which stands between documents"));
  }
  return tokenizer;
}

// Opens the cache entry. When it is missing or damaged, publishes it with `fill` first.
template <class Open, class Fill>
auto open_or_make(const fs::path& cache, const std::string& name, const Open& open,
                  const Fill& fill) {
  const CacheEntry entry(cache, name);
  if (entry.exists()) {
    try {
      return open(entry.folder());
    } catch (const Error& error) {
      log_warn(cat("making ", entry.folder().string(), " again, it is damaged: ", error.what()));
    }
  }
  entry.publish(fill);
  return open(entry.folder());
}

Sources find_sources(const DataConfig& data, const fs::path& runs,
                     const std::function<void(double)>& progress) {
  std::vector<fs::path> left_out = {data.cache};
  if (!runs.empty()) left_out.push_back(runs);
  Sources sources = {list_source_files(data.sources, left_out), 0, data.utf8};
  sources.fingerprint = content_fingerprint(sources.files, progress);
  if (sources.utf8 != Utf8Policy::kError)
    sources.fingerprint = hash_text(cat(hex16(sources.fingerprint), " ", data.utf8));
  return sources;
}

void require_unchanged(const Sources& sources, const DataConfig& data, const fs::path& runs) {
  if (find_sources(data, runs, {}).fingerprint == sources.fingerprint) return;
  throw DataError("the files of data.sources changed while they were being prepared; run again");
}

struct KeyedTokenizer {
  uint64_t key;
  Tokenizer tokenizer;
};

KeyedTokenizer obtain_tokenizer(const Sources& sources, const DataConfig& data,
                                const TokenizerConfig& config, const PrepareOptions& options) {
  const fs::path& cache = data.cache;
  if (!config.path.empty()) {
    const Tokenizer loaded = load_tokenizer(config.path, options.use);
    const uint64_t key = loaded.hash();
    return {key, open_or_make(cache, tokenizer_entry(key), open_tokenizer,
                              [&](const fs::path& folder) { save_tokenizer(loaded, folder); })};
  }
  const char* const use = options.use == TokenizerUse::kMaskedTokens ? " masked" : "";
  const char* const cased =
      config.kind == TokenizerKind::kWordpiece && !config.lowercase ? " cased" : "";
  const uint64_t key = hash_text(cat("tokenizer ", kTokenizerVersion, " ", config.kind, use, cased,
                                     " ", config.vocab_size, " ", hex16(sources.fingerprint)));
  return {key,
          open_or_make(cache, tokenizer_entry(key), open_tokenizer, [&](const fs::path& folder) {
            save_tokenizer(train_on(sources, config, options), folder);
            require_unchanged(sources, data, options.runs);
          })};
}

void require_tokenizer(const TokenFile& file, const Tokenizer& tokenizer) {
  if (file.header().tokenizer_hash == tokenizer.hash()) return;
  throw DataError(cat("token file ", file.path().string(), ": expected tokenizer ",
                      hex16(tokenizer.hash()), ", found ", hex16(file.header().tokenizer_hash)));
}

std::vector<int64_t> read_document_counts(const fs::path& path, int64_t total) {
  std::istringstream lines(read_file(path, 1 << 20));
  std::vector<int64_t> counts;
  int64_t sum = 0;
  for (int64_t count = 0; lines >> count; sum += count) counts.push_back(count);
  if (lines.eof() && sum == total) return counts;
  throw DataError(cat(path.string(), ": expected ", total, " documents in all, found ", sum));
}

TokenFiles open_token_files(const fs::path& folder, bool with_validation,
                            const Tokenizer& tokenizer) {
  TokenFiles files = {TokenFile::open(folder / kTrainFile), std::nullopt, {}, {}, true};
  require_tokenizer(files.train, tokenizer);
  files.train_documents =
      read_document_counts(folder / kTrainSourcesFile, files.train.header().num_documents);
  if (with_validation) {
    files.validation.emplace(TokenFile::open(folder / kValidationFile));
    require_tokenizer(*files.validation, tokenizer);
    files.validation_documents = read_document_counts(folder / kValidationSourcesFile,
                                                      files.validation->header().num_documents);
  }
  return files;
}

// Files of tokens have no text to train a tokenizer on, and no lines to make pairs of.
void require_text_where_needed(const Sources& sources, const DataConfig& data,
                               const TokenizerConfig& tokenizer) {
  for (const SourceFile& file : sources.files) {
    if (!file.holds_tokens()) continue;
    if (tokenizer.path.empty()) {
      throw DataError(cat(file.path.string(),
                          " holds token ids: tokenizer.path must name the "
                          "tokenizer that made them"));
    }
    if (data.has_pairs()) {
      throw DataError(cat(file.path.string(),
                          " holds token ids, which have no lines to make data.pairs of; "
                          "give text, or data.pairs=none"));
    }
  }
}

std::vector<SpecialTokens> special_tokens_of(const DataConfig& data) {
  std::vector<SpecialTokens> of_sources;
  for (const SourceConfig& source : data.sources) {
    of_sources.push_back(source.special_tokens == SpecialTokenText::kMatched
                             ? SpecialTokens::kMatched
                             : SpecialTokens::kAsText);
  }
  return of_sources;
}

// "" where no source matches special tokens.
std::string special_tokens_key(const DataConfig& data) {
  std::string key;
  for (const SourceConfig& source : data.sources)
    key += source.special_tokens == SpecialTokenText::kMatched ? " matched" : " text";
  return key.find("matched") == std::string::npos ? "" : key;
}

uint64_t key_of_tokens(const Sources& sources, const DataConfig& data, const Tokenizer& tokenizer,
                       TokenizerUse use) {
  return hash_text(cat("tokens ", kTokensVersion, " ", hex16(sources.fingerprint), " ",
                       hex16(tokenizer.hash()), " ",
                       hex16(std::bit_cast<uint64_t>(data.validation_fraction)),
                       use == TokenizerUse::kMaskedTokens ? " masked" : "",
                       data.has_pairs() ? " lines" : "", special_tokens_key(data)));
}

TokenFiles obtain_token_files(const Sources& sources, const DataConfig& data, uint64_t key,
                              const Tokenizer& tokenizer, const PrepareOptions& options) {
  const auto open = [&](const fs::path& folder) {
    TokenFiles files = open_token_files(folder, data.validation_fraction > 0.0, tokenizer);
    files.train.verify();
    if (files.validation) files.validation->verify();
    return files;
  };
  bool were_there = true;
  const auto make = [&](const fs::path& folder) {
    were_there = false;
    tokenise(sources.files, tokenizer,
             {options.use, data.validation_fraction, data.has_pairs(), sources.utf8,
              options.num_threads, special_tokens_of(data)},
             folder, [&](double fraction) { options.progress("tokenising", fraction); });
    require_unchanged(sources, data, options.runs);
  };
  TokenFiles files = open_or_make(data.cache, tokens_entry(key), open, make);
  files.were_there = were_there;
  return files;
}

void require_both_parts(const TokenFiles& files, double validation_fraction) {
  const int64_t num_train = files.train.header().num_documents;
  const int64_t num_validation = files.validation ? files.validation->header().num_documents : 0;
  if (num_train > 0 && (num_validation > 0 || !files.validation)) return;
  throw DataError(
      cat("of ", num_train + num_validation, " documents none fell into ",
          num_train == 0 ? "training" : "validation",
          " at data.validation_fraction = ", shortest(validation_fraction),
          "; add documents, give data.sources a separator that cuts the text into more, or "
          "change the fraction (0 turns validation off)"));
}

void require_enough(const TokenFiles& files, const DataConfig& data) {
  require_both_parts(files, data.validation_fraction);
  require_one_sample(files.train, data.sequence_length);
  if (files.validation) require_one_sample(*files.validation, data.sequence_length);
}

void require_same(const TokenFile& file, uint64_t expected) {
  if (file.fingerprint() == expected) return;
  throw DataError(cat("the ranks do not see the same files: ", file.path().string(),
                      " has fingerprint ", hex16(file.fingerprint()), " here, ", hex16(expected),
                      " on rank 0; data.cache must be the same folder on all nodes"));
}

PreparedData assemble(PreparedKeys keys, const fs::path& cache, Tokenizer tokenizer,
                      TokenFiles files) {
  return {keys,
          cache / tokenizer_entry(keys.tokenizer_key) / kTokenizerFile,
          std::move(tokenizer),
          std::move(files.train),
          std::move(files.validation),
          std::move(files.train_documents),
          std::move(files.validation_documents),
          files.were_there};
}

}  // namespace

PreparedData prepare(const DataConfig& data, const TokenizerConfig& config,
                     const PrepareOptions& asked) {
  PrepareOptions options = asked;
  if (!options.progress) options.progress = [](std::string_view, double) {};
  const Sources sources = find_sources(
      data, options.runs, [&](double fraction) { options.progress("reading sources", fraction); });

  require_text_where_needed(sources, data, config);
  auto [tokenizer_key, tokenizer] = obtain_tokenizer(sources, data, config, options);
  PreparedKeys keys = {tokenizer_key, key_of_tokens(sources, data, tokenizer, options.use), 0, 0};
  TokenFiles files = obtain_token_files(sources, data, keys.tokens_key, tokenizer, options);
  require_enough(files, data);
  keys.train_fingerprint = files.train.fingerprint();
  keys.validation_fingerprint = files.validation ? files.validation->fingerprint() : 0;
  return assemble(keys, data.cache, std::move(tokenizer), std::move(files));
}

PreparedData open_prepared(const DataConfig& data, const PreparedKeys& keys) {
  const fs::path cache = data.cache;
  std::error_code ignored;
  for (const std::string& name :
       {tokenizer_entry(keys.tokenizer_key), tokens_entry(keys.tokens_key)}) {
    if (fs::is_directory(cache / name, ignored)) continue;
    throw DataError(
        cat("the ranks do not see the same files: ", (cache / name).string(),
            ", which rank 0 prepared, is not there; set data.cache to a folder that all "
            "nodes share, or copy it to each"));
  }
  Tokenizer tokenizer = open_tokenizer(cache / tokenizer_entry(keys.tokenizer_key));
  TokenFiles files = open_token_files(cache / tokens_entry(keys.tokens_key),
                                      keys.validation_fingerprint != 0, tokenizer);
  require_same(files.train, keys.train_fingerprint);
  if (files.validation) require_same(*files.validation, keys.validation_fingerprint);
  return assemble(keys, cache, std::move(tokenizer), std::move(files));
}

}  // namespace lmtrain
