#include "data/tokenizer/bpe_trainer.h"

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bpe_merger.h"
#include "data/tokenizer/bpe_model.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/tokenizer_pipeline.h"
#include "data/tokenizer/word_counts.h"

namespace lmtrain {

namespace {

size_t num_base_tokens(const BpeTrainerOptions& options) {
  return options.special_tokens.size() + 256;
}

// If merges could make the text of a special token too, two ids would stand for the same text.
void check_special_tokens(const std::vector<std::string>& tokens, const PreTokenizer& splitter) {
  std::set<std::string> seen;
  for (const std::string& token : tokens) {
    std::array<std::string_view, 2> words;
    size_t position = 0;
    if (splitter.next_words(token, position, words) < 2) {
      throw ConfigError(
          cat("special token ", show_text(token), ": a text could hold it as one word"));
    }
    if (!seen.insert(token).second)
      throw ConfigError(cat("special token ", show_text(token), " is there twice"));
  }
}

void check(const BpeTrainerOptions& options) {
  const auto min_vocab_size = static_cast<int64_t>(num_base_tokens(options));
  if (options.vocab_size < min_vocab_size || options.vocab_size > kMaxTrainedVocabSize) {
    throw ConfigError(cat("vocab_size = ", options.vocab_size, ": a trained tokenizer has ",
                          min_vocab_size, " to ", kMaxTrainedVocabSize, " tokens"));
  }
  check_num_trainer_threads(options.num_threads);
}

// The bytes follow the special tokens in the order of their characters.
std::array<uint32_t, 256> number_bytes(size_t num_special_tokens) {
  std::array<uint32_t, 256> token_of_byte{};
  auto next = static_cast<uint32_t>(num_special_tokens);
  for (const uint8_t byte : bytes_by_code_point()) token_of_byte[byte] = next++;
  return token_of_byte;
}

// Returns the tokens by id, in the byte alphabet.
std::vector<std::string> write_tokens(std::vector<std::string> tokens,
                                      const std::vector<BpeMerge>& merges) {
  for (const uint8_t byte : bytes_by_code_point()) {
    const char bytes[] = {static_cast<char>(byte)};
    tokens.push_back(write_byte_alphabet({bytes, 1}));
  }
  for (const auto [left, right] : merges) {
    tokens.push_back(tokens[static_cast<size_t>(left)] + tokens[static_cast<size_t>(right)]);
  }
  return tokens;
}

TokenizerPipeline untrained_pipeline(const std::vector<std::string>& special_tokens) {
  TokenizerPipeline pipeline;
  pipeline.added_tokens = number_special_tokens(special_tokens);
  pipeline.normalizer = std::make_unique<IdentityNormalizer>();
  pipeline.pre_tokenizer = std::make_unique<ByteLevelPreTokenizer>();
  pipeline.decoder = std::make_unique<ByteLevelDecoder>();
  return pipeline;
}

}  // namespace

Tokenizer train_bpe(const NextDocument& next_document, const BpeTrainerOptions& options,
                    const std::function<void(double fraction)>& progress) {
  check(options);
  TokenizerPipeline pipeline = untrained_pipeline(options.special_tokens);
  check_special_tokens(options.special_tokens, *pipeline.pre_tokenizer);
  WorkerPool pool(options.num_threads);

  progress(0.0);
  const auto token_of_byte = number_bytes(options.special_tokens.size());
  TokenCells cells(count_words(next_document, *pipeline.normalizer, *pipeline.pre_tokenizer,
                               options.max_memory_bytes, pool),
                   [&](std::string_view word, std::vector<uint32_t>& tokens) {
                     for (const char byte : word)
                       tokens.push_back(token_of_byte[static_cast<uint8_t>(byte)]);
                   });
  const size_t max_merges = static_cast<size_t>(options.vocab_size) - num_base_tokens(options);
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
