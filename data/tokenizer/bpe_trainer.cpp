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

constexpr int64_t kNumBaseTokens = 257;  // the special token and the bytes
constexpr int64_t kMaxVocabSize = INT64_C(1) << 24;
constexpr int kMaxThreads = 1024;

void check(const BpeTrainerOptions& options) {
  if (options.vocab_size < kNumBaseTokens || options.vocab_size > kMaxVocabSize) {
    throw ConfigError(cat("vocab_size = ", options.vocab_size, ": a trained tokenizer has ",
                          kNumBaseTokens, " to ", kMaxVocabSize, " tokens"));
  }
  if (options.num_threads < 1 || options.num_threads > kMaxThreads) {
    throw ConfigError(
        cat("tokenizer training on ", options.num_threads, " threads: must be 1 to ", kMaxThreads));
  }
}

// The special token is id 0; the bytes follow in the order of their characters.
std::array<uint32_t, 256> number_bytes() {
  std::array<uint32_t, 256> token_of_byte{};
  uint32_t next = 1;
  for (const uint8_t byte : bytes_by_code_point()) token_of_byte[byte] = next++;
  return token_of_byte;
}

// The tokens by id, in the byte alphabet.
std::vector<std::string> write_tokens(const std::vector<BpeMerge>& merges) {
  std::vector<std::string> tokens = {std::string(kEndOfText)};
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
  pipeline.special_tokens = {{.id = 0, .content = std::string(kEndOfText)}};
  pipeline.normalizer = std::make_unique<IdentityNormalizer>();
  pipeline.pre_tokenizer = std::make_unique<ByteLevelPreTokenizer>();
  pipeline.decoder = std::make_unique<ByteLevelDecoder>();

  progress(0.0);
  TokenCells cells(
      count_words(next_document, *pipeline.pre_tokenizer, options.max_memory_bytes, pool),
      number_bytes());
  const auto max_merges = static_cast<size_t>(options.vocab_size - kNumBaseTokens);
  auto merges = merge_most_frequent_pairs(
      std::move(cells), kNumBaseTokens, max_merges, pool,
      [&](size_t n) { progress(static_cast<double>(n) / static_cast<double>(max_merges)); });
  progress(1.0);
  auto tokens = write_tokens(merges);
  pipeline.model = std::make_unique<BpeModel>(std::move(tokens), std::move(merges),
                                              WholeWords::kByMerges, "the trained tokenizer");
  return Tokenizer(std::move(pipeline));
}

}  // namespace lmtrain
