#include "data/labelled/encode_examples.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/encoded_text.h"

namespace lmtrain {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::vector<int32_t> encoded(std::string_view text, Tokenizer::Encoder& encoder) {
  std::vector<int32_t> ids;
  encoder.encode(text, ids);
  return ids;
}

EncodingOptions options_of(const EncodingRule& rule, bool is_pair) {
  EncodingOptions options;
  options.max_tokens = rule.max_tokens;
  options.truncation_name = "data.labelled.truncation";
  options.limit_name = "data.sequence_length";
  options.truncation = Truncation::kLongestFirst;
  if (is_pair && rule.truncation == LabelledTruncation::kOnlyFirst)
    options.truncation = Truncation::kOnlyFirst;
  if (is_pair && rule.truncation == LabelledTruncation::kOnlySecond)
    options.truncation = Truncation::kOnlySecond;
  return options;
}

EncodedExamples of_text(const LabelledText& text, const LabelNames& names,
                        const Tokenizer& tokenizer, Tokenizer::Encoder& encoder,
                        const EncodingRule& rule) {
  const std::vector<int32_t> first = encoded(text.texts.text, encoder);
  const std::vector<int32_t> second = encoded(text.texts.pair, encoder);
  const bool is_pair = !second.empty();
  EncodedText both = encode_tokens(tokenizer, first, second, options_of(rule, is_pair));
  EncodedExamples result;
  const int64_t all =
      std::ssize(first) + std::ssize(second) + num_special_tokens(tokenizer, is_pair);
  result.num_cut = all > rule.max_tokens ? 1 : 0;
  Example example;
  example.ids = std::move(both.ids);
  example.type_ids = std::move(both.type_ids);
  if (rule.task == TrainingTask::kRegression) {
    example.value = text.value;
  } else {
    example.labels = {names.number_of(text.label, text.place)};
  }
  result.examples.push_back(std::move(example));
  return result;
}

EncodedExamples of_words(const LabelledText& text, const LabelNames& names,
                         const Tokenizer& tokenizer, Tokenizer::Encoder& encoder,
                         const EncodingRule& rule) {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;
  for (size_t i = 0; i < text.words.size(); ++i) {
    // Words of bytes-level vocabularies begin with their space.
    const bool has_space = i > 0 && tokenizer.is_byte_level();
    const std::vector<int32_t> word = encoded((has_space ? " " : "") + text.words[i], encoder);
    const int32_t label = names.number_of(text.tags[i], text.place);
    for (size_t k = 0; k < word.size(); ++k) {
      ids.push_back(word[k]);
      labels.push_back(k == 0 ? label : -1);
    }
  }
  EncodedExamples result;
  if (ids.empty()) return result;
  EncodedText whole = encode_tokens(tokenizer, ids, {}, options_of(rule, false));
  result.num_cut = std::ssize(ids) + num_special_tokens(tokenizer, false) > rule.max_tokens ? 1 : 0;
  Example example;
  // Of a text alone the first part's tokens stand where a second one's would end.
  const int64_t kept = std::ssize(whole.ids) - num_special_tokens(tokenizer, false);
  const int64_t begin = whole.second_end - kept;
  example.labels.assign(whole.ids.size(), -1);
  std::copy_n(labels.begin(), kept, example.labels.begin() + begin);
  example.ids = std::move(whole.ids);
  example.type_ids = std::move(whole.type_ids);
  result.examples.push_back(std::move(example));
  return result;
}

EncodedExamples of_question(const LabelledText& text, const Tokenizer& tokenizer,
                            Tokenizer::Encoder& encoder, const EncodingRule& rule) {
  const std::vector<int32_t> question = encoded(text.texts.text, encoder);
  const TextTokens passage = tokens_with_bytes(text.texts.pair, tokenizer, encoder);
  const auto size = std::ssize(passage.ids);
  if (size == 0) throw DataError(cat(text.place, ": the passage holds no token"));
  const int64_t room =
      rule.max_tokens - std::ssize(question) - num_special_tokens(tokenizer, /*is_pair=*/true);
  if (room < 1) {
    throw DataError(cat(text.place, ": the question has ", question.size(),
                        " tokens, which leaves no room for the passage; raise "
                        "data.sequence_length"));
  }
  const int64_t step = std::max<int64_t>(1, room - rule.stride);
  EncodedExamples result;
  result.num_cut = size > room ? 1 : 0;
  for (int64_t begin = 0;; begin += step) {
    const int64_t end = std::min(size, begin + room);
    const std::vector<int32_t> window(passage.ids.begin() + begin, passage.ids.begin() + end);
    EncodedText both = encode_tokens(tokenizer, question, window, options_of(rule, true));
    Example example;
    example.passage_begin = both.second_begin;
    example.ids = std::move(both.ids);
    example.type_ids = std::move(both.type_ids);
    example.labels = {0, 0};
    for (int64_t i = begin; i < end; ++i) {
      const auto [first, last] = passage.bytes[static_cast<size_t>(i)];
      example.bytes.push_back(first);
      example.bytes.push_back(last);
    }
    if (!text.answers.empty()) {
      const KnownAnswer& answer = text.answers.front();
      const int64_t answer_end = answer.begin + std::ssize(answer.text);
      const auto bytes_begin = passage.bytes.begin();
      const auto first =
          std::find_if(bytes_begin + begin, bytes_begin + end,
                       [&](const auto& token) { return token.second > answer.begin; });
      const auto behind = std::find_if(
          first, bytes_begin + end, [&](const auto& token) { return token.first >= answer_end; });
      const bool is_inside = first != bytes_begin + end && behind > first &&
                             passage.bytes[static_cast<size_t>(begin)].first <= answer.begin &&
                             (behind - 1)->second >= answer_end;
      if (is_inside) {
        const int64_t shift = example.passage_begin - begin;
        example.labels = {static_cast<int32_t>(first - bytes_begin + shift),
                          static_cast<int32_t>(behind - 1 - bytes_begin + shift)};
      }
    }
    result.examples.push_back(std::move(example));
    if (end == size) return result;
  }
}

// The places of the whole characters of a word, and of its end.
std::vector<int32_t> character_places(std::string_view word, int32_t begin) {
  std::vector<int32_t> places;
  for (size_t i = 0; i < word.size(); ++i)
    if (starts_character(word[i])) places.push_back(begin + static_cast<int32_t>(i));
  places.push_back(begin + static_cast<int32_t>(word.size()));
  return places;
}

void add_word(std::string_view word, int32_t begin, const Tokenizer& tokenizer,
              Tokenizer::Encoder& encoder, TextTokens& tokens) {
  const std::vector<int32_t> ids = encoded(word, encoder);
  if (ids.empty()) return;
  const std::vector<int32_t> places = character_places(word, begin);
  const auto characters = std::ssize(places) - 1;
  std::vector<int64_t> lengths;
  for (const int32_t id : ids) {
    std::string_view written = tokenizer.token_text(id);
    written.remove_prefix(std::min(written.size(), written.find_first_not_of(' ')));
    lengths.push_back(id == tokenizer.unknown_token() ? 0 : num_characters(written));
  }
  const int64_t known = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  const auto unknown = std::ranges::count(ids, tokenizer.unknown_token());
  int64_t left = std::max<int64_t>(0, characters - known);
  int64_t unknown_left = unknown;
  int64_t at = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t length = lengths[i];
    if (ids[i] == tokenizer.unknown_token()) {
      length = left / std::max<int64_t>(1, unknown_left--);
      left -= length;
    }
    const bool is_last = i + 1 == ids.size();
    const int64_t end = is_last ? characters : std::min(characters, at + length);
    tokens.ids.push_back(ids[i]);
    tokens.bytes.emplace_back(places[static_cast<size_t>(at)], places[static_cast<size_t>(end)]);
    at = end;
  }
}

}  // namespace

LabelNames::LabelNames(std::vector<std::string> names) : names_(std::move(names)) {
  for (size_t i = 0; i < names_.size(); ++i) numbers_[names_[i]] = static_cast<int32_t>(i);
}

int32_t LabelNames::number_of(const std::string& name, const std::string& place) const {
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return found->second;
  const std::string nearest = nearest_name(name, names_);
  throw DataError(cat(place, ": the label ", show_text(name), " is not one of model.labels (",
                      join(names_, ", "), ")",
                      nearest.empty() ? "" : cat("; did you mean ", show_text(nearest), "?")));
}

TextTokens tokens_with_bytes(const std::string& text, const Tokenizer& tokenizer,
                             Tokenizer::Encoder& encoder) {
  TextTokens tokens;
  if (tokenizer.is_byte_level()) {
    tokens.ids = encoded(text, encoder);
    int64_t all = 0;
    for (const int32_t id : tokens.ids) all += tokenizer.token_num_bytes(id);
    // Some put a space before the first word.
    int64_t at = std::ssize(text) - all;
    for (const int32_t id : tokens.ids) {
      const int64_t end = at + tokenizer.token_num_bytes(id);
      tokens.bytes.emplace_back(static_cast<int32_t>(std::max<int64_t>(0, at)),
                                static_cast<int32_t>(std::max<int64_t>(0, end)));
      at = end;
    }
    return tokens;
  }
  const std::string_view whole = text;
  for (size_t begin = 0; begin < whole.size();) {
    begin = std::min(whole.size(), whole.find_first_not_of(kSpaces, begin));
    const size_t end = std::min(whole.size(), whole.find_first_of(kSpaces, begin));
    if (end > begin)
      add_word(whole.substr(begin, end - begin), static_cast<int32_t>(begin), tokenizer, encoder,
               tokens);
    begin = end;
  }
  return tokens;
}

EncodedExamples encode_examples(const LabelledText& text, const LabelNames& names,
                                const Tokenizer& tokenizer, Tokenizer::Encoder& encoder,
                                const EncodingRule& rule) {
  EncodedExamples result;
  try {
    switch (rule.task) {
      case TrainingTask::kTagging:
        return of_words(text, names, tokenizer, encoder, rule);
      case TrainingTask::kQuestionAnswering:
        return of_question(text, tokenizer, encoder, rule);
      default:
        return of_text(text, names, tokenizer, encoder, rule);
    }
  } catch (const DataError& error) {
    const std::string problem = error.what();
    if (problem.starts_with(text.place)) throw;
    throw DataError(cat(text.place, ": ", problem));
  }
}

}  // namespace lmtrain
