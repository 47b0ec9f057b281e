// Texts and pairs of texts as a model with a head of labels, or one that embeds, reads them:
// special tokens around them, cut to what the model holds, padded where several are read at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/choice.h"
#include "data/tokenizer/tokenizer.h"
#include "models/model_input.h"
#include "trainer/inference/text_file.h"

namespace lmtrain {

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

// How many tokens of two texts are kept so that both are at most `limit` together, as the
// tokenizers package cuts with longest_first.
std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t limit);

std::vector<size_t> lengths_of(const std::vector<EncodedText>& texts);

// The input for texts that are read at once, padded to the longest of them.
ModelInput padded_input(const ModelConfig& model, const std::vector<EncodedText>& texts,
                        std::span<const size_t> places);

// Calls `read` with the places of texts, of so many tokens each, to be read at once. Texts of about
// the same length come together, so that little is padded; they are looked for among the next few
// hundred, so that results come soon and in about the order of the texts.
void in_batches(const std::vector<size_t>& lengths, int64_t batch_size,
                const std::function<void(std::span<const size_t>)>& read);

}  // namespace lmtrain
