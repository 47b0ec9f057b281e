#include "data/tokenizer/bpe_trainer.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "data/tokenizer/bpe_merger.h"
#include "data/tokenizer/bpe_model.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer_pipeline.h"
#include "data/tokenizer/word_counts.h"

namespace lmtrain {

namespace {

constexpr int64_t kNumBytes = 256;
constexpr int64_t kMaxVocabSize = INT64_C(1) << 24;
constexpr int kMaxThreads = 1024;

int64_t num_base_tokens(const BpeTrainerOptions& options) {
  return static_cast<int64_t>(options.special_tokens.size()) + kNumBytes;
}

void check(const BpeTrainerOptions& options) {
  if (options.vocab_size < num_base_tokens(options) || options.vocab_size > kMaxVocabSize) {
    throw ConfigError(cat("vocab_size = ", options.vocab_size, ": a trained tokenizer has ",
                          num_base_tokens(options), " to ", kMaxVocabSize, " tokens"));
  }
  if (options.num_threads < 1 || options.num_threads > kMaxThreads) {
    throw ConfigError(
        cat("tokenizer training on ", options.num_threads, " threads: must be 1 to ", kMaxThreads));
  }
}

// The bytes follow the special tokens, in the order of their characters.
std::array<uint32_t, 256> number_bytes(size_t num_special) {
  std::array<uint32_t, 256> token_of_byte{};
  auto next = static_cast<uint32_t>(num_special);
  for (const uint8_t byte : bytes_by_code_point()) token_of_byte[byte] = next++;
  return token_of_byte;
}

// The tokens by id, in the byte alphabet.
std::vector<std::string> write_tokens(const std::vector<std::string>& special_tokens,
                                      const std::vector<BpeMerge>& merges) {
  std::vector<std::string> tokens = special_tokens;
  for (const uint8_t byte : bytes_by_code_point()) {
    const char bytes[] = {static_cast<char>(byte)};
    tokens.push_back(write_byte_alphabet({bytes, 1}));
  }
  for (const auto [left, right] : merges) {
    tokens.push_back(tokens[static_cast<size_t>(left)] + tokens[static_cast<size_t>(right)]);
  }
  return tokens;
}

}  // namespace

Tokenizer train_bpe(const NextDocument& next_document, const BpeTrainerOptions& options,
                    const std::function<void(double fraction)>& progress) {
  check(options);
  WorkerPool pool(options.num_threads);
  TokenizerPipeline pipeline;
  for (const std::string& content : options.special_tokens) {
    const auto id = static_cast<int32_t>(pipeline.special_tokens.size());
    pipeline.special_tokens.push_back({.id = id, .content = content});
  }
  pipeline.normalizer = std::make_unique<IdentityNormalizer>();
  pipeline.pre_tokenizer = std::make_unique<ByteLevelPreTokenizer>();
  pipeline.decoder = std::make_unique<ByteLevelDecoder>();

  progress(0.0);
  TokenCells cells(
      count_words(next_document, *pipeline.pre_tokenizer, options.max_memory_bytes, pool),
      number_bytes(options.special_tokens.size()));
  const auto max_merges = static_cast<size_t>(options.vocab_size - num_base_tokens(options));
  auto merges = merge_most_frequent_pairs(
      std::move(cells), static_cast<uint32_t>(num_base_tokens(options)), max_merges, pool,
      [&](size_t n) { progress(static_cast<double>(n) / static_cast<double>(max_merges)); });
  progress(1.0);
  auto tokens = write_tokens(options.special_tokens, merges);
  pipeline.model = std::make_unique<BpeModel>(std::move(tokens), std::move(merges),
                                              WholeWords::kByMerges, "the trained tokenizer");
  return Tokenizer(std::move(pipeline));
}

}  // namespace lmtrain
