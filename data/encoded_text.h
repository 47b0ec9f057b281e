// A text or a pair of texts as token ids, with special tokens around them, cut to what a model
// reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/choice.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

struct TextPair {
  std::string text;
  std::string pair;  // "" where the text is alone
};

// What happens to a text that is too long, by transformers' names: it is refused; tokens go from
// the end of the longer of the two texts; or from the end of one of them.
enum class Truncation { kRefuse, kLongestFirst, kOnlyFirst, kOnlySecond };
constexpr auto choice_names(Truncation) {
  return std::to_array<std::string_view>(
      {"do_not_truncate", "longest_first", "only_first", "only_second"});
}

struct EncodingOptions {
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  Truncation truncation = Truncation::kRefuse;
  int64_t max_tokens = 0;  // special ones included
  // What messages call the last two.
  std::string truncation_name = "--truncation";
  std::string limit_name = "--max-length";
};

struct EncodedText {
  std::vector<int32_t> ids;  // with special tokens
  std::vector<int32_t> type_ids;
  int64_t second_begin = 0;  // where the second text begins in ids; its end where there is none
  int64_t second_end = 0;
};

// Throws DataError for a text without tokens, and for one that is too long and may not be cut.
EncodedText encode_text(const Tokenizer& tokenizer, const TextPair& texts,
                        const EncodingOptions& options);
// The same of tokens. `second` is empty where the text is alone.
EncodedText encode_tokens(const Tokenizer& tokenizer, std::vector<int32_t> first,
                          std::vector<int32_t> second, const EncodingOptions& options);

// Special tokens that stand around one text, or around two.
int64_t num_special_tokens(const Tokenizer& tokenizer, bool is_pair);

// How many tokens of two texts are kept so that both are at most `limit` together, as the
// tokenizers package cuts with longest_first.
std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t limit);

}  // namespace lmtrain
