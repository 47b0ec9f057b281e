#include "data/encoded_text.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Special tokens behind the last text.
int64_t num_tokens_behind(const Tokenizer& tokenizer, bool is_pair) {
  const std::vector<int32_t> first = {0};
  const std::vector<int32_t> last = {-1};  // no token
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  tokenizer.add_special_tokens(is_pair ? first : last, is_pair ? last : std::vector<int32_t>(), ids,
                               type_ids);
  return ids.end() - std::ranges::find(ids, -1) - 1;
}

void cut(std::vector<int32_t>& first, std::vector<int32_t>& second, int64_t limit,
         int64_t num_special, const EncodingOptions& options) {
  const Truncation truncation = options.truncation;
  const auto size = [](const std::vector<int32_t>& tokens) {
    return static_cast<int64_t>(tokens.size());
  };
  const int64_t excess = size(first) + size(second) - limit;
  if (excess <= 0) return;
  auto [keep_first, keep_second] = std::pair(size(first), size(second));
  if (truncation == Truncation::kLongestFirst) {
    if (second.empty()) {
      keep_first = limit;
    } else {
      std::tie(keep_first, keep_second) = longest_first(size(first), size(second), limit);
    }
  }
  if (truncation == Truncation::kOnlyFirst) keep_first -= excess;
  if (truncation == Truncation::kOnlySecond) keep_second -= excess;
  if (truncation == Truncation::kRefuse || std::min(keep_first, keep_second) < 0) {
    throw DataError(cat("the text has ", size(first) + size(second) + num_special,
                        " tokens, special ones included, and at most ", limit + num_special,
                        " are read (", options.limit_name,
                        ", or the model's positions); give a shorter one, or ",
                        options.truncation_name, " longest_first"));
  }
  if (keep_first == 0 || (keep_second == 0 && !second.empty())) {
    throw DataError(cat("cut to ", limit + num_special, " tokens, nothing is left of ",
                        keep_first == 0 ? "the text" : "its pair", "; raise ", options.limit_name));
  }
  first.resize(static_cast<size_t>(keep_first));
  second.resize(static_cast<size_t>(keep_second));
}

}  // namespace

int64_t num_special_tokens(const Tokenizer& tokenizer, bool is_pair) {
  const std::vector<int32_t> one = {0};
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  tokenizer.add_special_tokens(one, is_pair ? one : std::vector<int32_t>(), ids, type_ids);
  return std::ssize(ids) - (is_pair ? 2 : 1);
}

std::pair<int64_t, int64_t> longest_first(int64_t first, int64_t second, int64_t limit) {
  if (first + second <= limit) return {first, second};
  int64_t shorter = std::min(first, second);
  int64_t longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = limit - shorter;
  }
  return first > second ? std::pair(longer, shorter) : std::pair(shorter, longer);
}

EncodedText encode_text(const Tokenizer& tokenizer, const TextPair& texts,
                        const EncodingOptions& options) {
  std::vector<int32_t> first;
  std::vector<int32_t> second;
  tokenizer.encode(texts.text, first, options.special_tokens);
  tokenizer.encode(texts.pair, second, options.special_tokens);
  return encode_tokens(tokenizer, std::move(first), std::move(second), options);
}

EncodedText encode_tokens(const Tokenizer& tokenizer, std::vector<int32_t> first,
                          std::vector<int32_t> second, const EncodingOptions& options) {
  const int64_t num_special = num_special_tokens(tokenizer, !second.empty());
  const int64_t limit = options.max_tokens - num_special;
  if (limit < 1)
    throw ConfigError(
        cat("a length of ", options.max_tokens, " holds no text, only special tokens"));
  cut(first, second, limit, num_special, options);
  EncodedText encoded;
  tokenizer.add_special_tokens(first, second, encoded.ids, encoded.type_ids);
  if (encoded.ids.empty()) throw DataError("the text is empty");
  encoded.second_end = std::ssize(encoded.ids) - num_tokens_behind(tokenizer, !second.empty());
  encoded.second_begin = encoded.second_end - std::ssize(second);
  return encoded;
}

}  // namespace lmtrain
