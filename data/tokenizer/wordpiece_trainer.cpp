#include "data/tokenizer/wordpiece_trainer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "data/tokenizer/bert_normalizer.h"
#include "data/tokenizer/bert_pre_tokenizer.h"
#include "data/tokenizer/bpe_merger.h"
#include "data/tokenizer/tokenizer_pipeline.h"
#include "data/tokenizer/utf8_character.h"
#include "data/tokenizer/word_counts.h"
#include "data/tokenizer/wordpiece_model.h"

namespace lmtrain {

namespace {

const std::string kSpecialTokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
constexpr int32_t kClass = 2;
constexpr int32_t kSeparator = 3;
constexpr size_t kMaxAlphabet = 1000;
const std::string kPrefix = "##";

using Words = std::vector<WordCounts>;

template <class Use>
void for_characters(std::string_view word, const Use& use) {
  const char* const end = word.data() + word.size();
  for (const char* at = word.data(); at < end;) {
    const Utf8Character character = read_utf8(at, end);
    use(character.code_point, /*is_first=*/at == word.data());
    at += character.size;
  }
}

// The initial tokens: a character that begins words and one that continues them.
class Alphabet {
 public:
  Alphabet(const Words& words, int64_t max_characters)
      : max_characters_(max_characters), first_(kNumCodePoints), continuing_(kNumCodePoints) {
    for (const std::string& token : kSpecialTokens) tokens_.push_back(token);
    std::vector<uint32_t> characters = most_frequent(words);
    std::ranges::sort(characters);
    for (const uint32_t c : characters) add(c, "", first_);
    const std::vector<bool> continues = find_continuing(words);
    for (const uint32_t c : characters) {
      if (continues[c]) add(c, kPrefix, continuing_);
    }
  }

  // Returns the tokens by id.
  const std::vector<std::string>& tokens() const { return tokens_; }

  // Appends nothing for a word that is left out.
  void append_tokens(std::string_view word, std::vector<uint32_t>& tokens) const {
    if (!fits(word)) return;
    for_characters(word, [&](uint32_t c, bool is_first) {
      tokens.push_back(is_first ? first_[c] : continuing_[c]);
    });
  }

 private:
  bool is_short(std::string_view word) const {
    int64_t size = 0;
    for_characters(word, [&](uint32_t, bool) { ++size; });
    return size <= max_characters_;
  }

  bool fits(std::string_view word) const {
    bool known = true;
    for_characters(word, [&](uint32_t c, bool) { known = known && first_[c] != 0; });
    return known && is_short(word);
  }

  std::vector<uint32_t> most_frequent(const Words& words) const {
    std::vector<int64_t> counts(kNumCodePoints);
    for (const WordCounts& part : words) {
      for (size_t i = 0; i < part.size(); ++i) {
        if (!is_short(part.word(i))) continue;
        for_characters(part.word(i), [&](uint32_t c, bool) { counts[c] += part.count(i); });
      }
    }
    std::vector<uint32_t> found;
    for (uint32_t c = 0; c < kNumCodePoints; ++c) {
      if (counts[c] > 0) found.push_back(c);
    }
    std::ranges::stable_sort(found, std::greater<>(), [&](uint32_t c) { return counts[c]; });
    found.resize(std::min(found.size(), kMaxAlphabet));
    return found;
  }

  // Returns, by code point, whether the character continues a word somewhere.
  std::vector<bool> find_continuing(const Words& words) const {
    std::vector<bool> continues(kNumCodePoints);
    for (const WordCounts& part : words) {
      for (size_t i = 0; i < part.size(); ++i) {
        if (!fits(part.word(i))) continue;
        for_characters(part.word(i), [&](uint32_t c, bool is_first) {
          if (!is_first) continues[c] = true;
        });
      }
    }
    return continues;
  }

  void add(uint32_t code_point, std::string token, std::vector<uint32_t>& ids) {
    ids[code_point] = static_cast<uint32_t>(tokens_.size());
    append_utf8(code_point, token);
    tokens_.push_back(std::move(token));
  }

  int64_t max_characters_;
  std::vector<std::string> tokens_;
  std::vector<uint32_t> first_;  // ids by code point; 0, that of [PAD], where there is none
  std::vector<uint32_t> continuing_;
};

TokenizerPipeline untrained_pipeline(const WordPieceTrainerOptions& options) {
  TokenizerPipeline pipeline;
  pipeline.added_tokens = number_special_tokens(kSpecialTokens);
  pipeline.normalizer = std::make_unique<BertNormalizer>(
      BertNormalizerOptions{.lowercase = options.lowercase, .profile = options.profile});
  pipeline.pre_tokenizer = std::make_unique<BertPreTokenizer>(options.profile);
  pipeline.decoder = std::make_unique<WordPieceDecoder>(kPrefix, /*cleans_up=*/true);
  pipeline.post_processor = bert_post_processor(kClass, kSeparator);
  return pipeline;
}

std::vector<std::string> write_tokens(std::vector<std::string> tokens,
                                      const std::vector<BpeMerge>& merges) {
  for (const auto [left, right] : merges) {
    // The right token of a pair always continues a word.
    tokens.push_back(tokens[static_cast<size_t>(left)] +
                     tokens[static_cast<size_t>(right)].substr(kPrefix.size()));
  }
  return tokens;
}

void check_vocab_size(const WordPieceTrainerOptions& options, size_t num_base_tokens) {
  if (options.vocab_size >= static_cast<int64_t>(num_base_tokens)) return;
  throw ConfigError(cat("vocab_size = ", options.vocab_size, ": the special tokens and characters",
                        " of this text alone are ", num_base_tokens, " tokens"));
}

}  // namespace

Tokenizer train_wordpiece(const NextDocument& next_document, const WordPieceTrainerOptions& options,
                          const std::function<void(double fraction)>& progress) {
  check_num_trainer_threads(options.num_threads);
  if (options.vocab_size < std::ssize(kSpecialTokens) ||
      options.vocab_size > kMaxTrainedVocabSize) {
    throw ConfigError(cat("vocab_size = ", options.vocab_size, ": must be ",
                          std::ssize(kSpecialTokens), " to ", kMaxTrainedVocabSize));
  }
  WorkerPool pool(options.num_threads);
  TokenizerPipeline pipeline = untrained_pipeline(options);
  const WordPieceOptions model_options = {.max_characters =
                                              options.profile == BertProfile::kGoogle ? 200 : 100};

  progress(0.0);
  const Words words = count_words(next_document, *pipeline.normalizer, *pipeline.pre_tokenizer,
                                  options.max_memory_bytes, pool);
  const Alphabet alphabet(words, model_options.max_characters);
  const size_t num_base_tokens = alphabet.tokens().size();
  check_vocab_size(options, num_base_tokens);
  const size_t max_merges = static_cast<size_t>(options.vocab_size) - num_base_tokens;
  TokenCells cells(words, [&](std::string_view word, std::vector<uint32_t>& tokens) {
    alphabet.append_tokens(word, tokens);
  });
  const auto merges = merge_most_frequent_pairs(
      std::move(cells), static_cast<uint32_t>(num_base_tokens), max_merges, pool,
      [&](size_t n) { progress(static_cast<double>(n) / static_cast<double>(max_merges)); });
  progress(1.0);
  pipeline.model = std::make_unique<WordPieceModel>(write_tokens(alphabet.tokens(), merges),
                                                    model_options, "the trained tokenizer");
  return Tokenizer(std::move(pipeline));
}

}  // namespace lmtrain
