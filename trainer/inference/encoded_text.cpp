#include "trainer/inference/encoded_text.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Special tokens that stand around one text, or around two.
int64_t num_special_tokens(const Tokenizer& tokenizer, bool is_pair) {
  const std::vector<int32_t> one = {0};
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  tokenizer.add_special_tokens(one, is_pair ? one : std::vector<int32_t>(), ids, type_ids);
  return static_cast<int64_t>(ids.size()) - (is_pair ? 2 : 1);
}

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
         int64_t num_special, Truncation truncation) {
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
    throw DataError(
        cat("the text has ", size(first) + size(second) + num_special,
            " tokens, special ones included, and at most ", limit + num_special,
            " are read (--max-length, or the model's positions); give a shorter one, or "
            "--truncation longest_first"));
  }
  if (keep_first == 0 || (keep_second == 0 && !second.empty())) {
    throw DataError(cat("cut to ", limit + num_special, " tokens, nothing is left of ",
                        keep_first == 0 ? "the text" : "its pair", "; raise --max-length"));
  }
  first.resize(static_cast<size_t>(keep_first));
  second.resize(static_cast<size_t>(keep_second));
}

}  // namespace

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
  const int64_t num_special = num_special_tokens(tokenizer, !second.empty());
  const int64_t limit = options.max_tokens - num_special;
  if (limit < 1)
    throw ConfigError(
        cat("a length of ", options.max_tokens, " holds no text, only special tokens"));
  cut(first, second, limit, num_special, options.truncation);
  EncodedText encoded;
  tokenizer.add_special_tokens(first, second, encoded.ids, encoded.type_ids);
  if (encoded.ids.empty()) throw DataError("the text is empty");
  encoded.second_end =
      static_cast<int64_t>(encoded.ids.size()) - num_tokens_behind(tokenizer, !second.empty());
  encoded.second_begin = encoded.second_end - static_cast<int64_t>(second.size());
  return encoded;
}

ModelInput padded_input(const ModelConfig& model, const std::vector<EncodedText>& texts,
                        std::span<const size_t> places) {
  size_t longest = 0;
  for (const size_t place : places) longest = std::max(longest, texts[place].ids.size());
  const auto samples = static_cast<int64_t>(places.size());
  const auto positions = static_cast<int64_t>(longest);
  TokenBatch tokens;
  tokens.ids = at::zeros({samples, positions}, at::kLong);
  tokens.lengths = at::empty({samples}, at::kLong);
  const int64_t segments = model.traits().num_segments;
  if (segments > 0) tokens.segments = at::zeros({samples, positions}, at::kLong);
  for (int64_t i = 0; i < samples; ++i) {
    const EncodedText& text = texts[places[static_cast<size_t>(i)]];
    const auto length = static_cast<int64_t>(text.ids.size());
    tokens.lengths[i] = length;
    tokens.ids[i].narrow(0, 0, length).copy_(at::tensor(text.ids, at::kLong));
    if (segments == 0) continue;
    tokens.segments[i]
        .narrow(0, 0, length)
        .copy_(at::tensor(text.type_ids, at::kLong).clamp_max(segments - 1));
  }
  return make_input(model, tokens);
}

std::vector<size_t> lengths_of(const std::vector<EncodedText>& texts) {
  std::vector<size_t> lengths;
  for (const EncodedText& text : texts) lengths.push_back(text.ids.size());
  return lengths;
}

void in_batches(const std::vector<size_t>& lengths, int64_t batch_size,
                const std::function<void(std::span<const size_t>)>& read) {
  constexpr int64_t kBatchesAtOnce = 16;
  const auto window = static_cast<size_t>(batch_size * kBatchesAtOnce);
  for (size_t begin = 0; begin < lengths.size(); begin += window) {
    std::vector<size_t> places(std::min(window, lengths.size() - begin));
    std::iota(places.begin(), places.end(), begin);
    std::ranges::stable_sort(places, {}, [&](size_t place) { return lengths[place]; });
    for (size_t i = 0; i < places.size(); i += static_cast<size_t>(batch_size)) {
      read(std::span(places).subspan(i,
                                     std::min(static_cast<size_t>(batch_size), places.size() - i)));
    }
  }
}

}  // namespace lmtrain
