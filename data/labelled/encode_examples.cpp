#include "data/labelled/encode_examples.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/encoded_text.h"
#include "data/labelled/encode_instructions.h"

namespace lmtrain {
namespace {

// A character of valid UTF-8 and how many bytes it takes.
struct Character {
  char32_t code = 0;
  size_t size = 1;
};

Character character_at(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t code = size == 1 ? first : first & (0xFFU >> (size + 1));
  for (size_t i = 1; i < size && at + i < text.size(); ++i)
    code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  return {code, std::min(size, text.size() - at)};
}

// What separates words: the spaces of Unicode, and control characters that stand for one.
bool is_space(char32_t code) {
  return code == ' ' || (code >= 0x09 && code <= 0x0D) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

// Marks that belong to the letter before them, and characters without width: a tokenizer that
// strips accents drops them.
bool is_dropped(char32_t code) {
  return (code >= 0x300 && code <= 0x36F) || (code >= 0x1AB0 && code <= 0x1AFF) ||
         (code >= 0x1DC0 && code <= 0x1DFF) || (code >= 0x20D0 && code <= 0x20FF) ||
         (code >= 0xFE20 && code <= 0xFE2F) || code == 0xAD || code == 0xFEFF ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x2064) || code < 0x20 || code == 0x7F;
}

bool is_ascii_punctuation(char32_t code) {
  return code < 0x80 && std::ispunct(static_cast<int>(code)) != 0;
}

int64_t num_visible(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    count += is_dropped(character.code) ? 0 : 1;
    at += character.size;
  }
  return count;
}

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

struct TaggedTokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;
};

Example example_of(const TaggedTokens& part, const Tokenizer& tokenizer, const EncodingRule& rule) {
  EncodedText whole = encode_tokens(tokenizer, part.ids, {}, options_of(rule, false));
  Example example;
  // Of a text alone its tokens end where a second one's would begin.
  const int64_t begin = whole.second_end - std::ssize(part.ids);
  example.labels.assign(whole.ids.size(), -1);
  std::ranges::copy(part.labels, example.labels.begin() + begin);
  example.ids = std::move(whole.ids);
  example.type_ids = std::move(whole.type_ids);
  return example;
}

// Several samples, cut between words, where the sentence is too long for one.
EncodedExamples of_words(const LabelledText& text, const LabelNames& names,
                         const Tokenizer& tokenizer, Tokenizer::Encoder& encoder,
                         const EncodingRule& rule) {
  const auto room = static_cast<size_t>(
      std::max<int64_t>(1, rule.max_tokens - num_special_tokens(tokenizer, false)));
  EncodedExamples result;
  TaggedTokens part;
  for (size_t i = 0; i < text.words.size(); ++i) {
    // Words of byte-level vocabularies begin with their space.
    const bool has_space = i > 0 && tokenizer.is_byte_level();
    std::vector<int32_t> word = encoded((has_space ? " " : "") + text.words[i], encoder);
    // Each word has its tag, also one of control characters.
    if (word.empty() && tokenizer.unknown_token() >= 0) word = {tokenizer.unknown_token()};
    word.resize(std::min(word.size(), room));
    if (part.ids.size() + word.size() > room) {
      result.examples.push_back(example_of(part, tokenizer, rule));
      part = {};
      result.num_cut = 1;
    }
    const int32_t label = names.number_of(text.tags[i], text.place);
    for (size_t k = 0; k < word.size(); ++k) {
      part.ids.push_back(word[k]);
      part.labels.push_back(k == 0 ? label : -1);
    }
  }
  if (!part.ids.empty()) result.examples.push_back(example_of(part, tokenizer, rule));
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
  // At most half a window is read twice.
  const int64_t step = room - std::min(rule.stride, room / 2);
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

// The places of a word's characters, each with the marks behind it, and of its end.
std::vector<int32_t> character_places(std::string_view word, int32_t begin) {
  std::vector<int32_t> places;
  for (size_t at = 0; at < word.size();) {
    const Character character = character_at(word, at);
    if (!is_dropped(character.code)) places.push_back(begin + static_cast<int32_t>(at));
    at += character.size;
  }
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
    lengths.push_back(id == tokenizer.unknown_token() ? 0 : num_visible(written));
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
  std::vector<std::string> shown;
  constexpr size_t kMostShown = 20;
  for (size_t i = 0; i < std::min(names_.size(), kMostShown); ++i)
    shown.push_back(show_text(names_[i]));
  if (names_.size() > kMostShown) shown.emplace_back("...");
  throw DataError(cat(place, ": the label ", show_text(name), " is not one of ", join(shown, ", "),
                      " (model.labels, or else those of the model that the run begins with)",
                      nearest.empty() ? "" : cat("; did you mean ", show_text(nearest), "?"),
                      "; other labels in model.labels make a new head"));
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
  // Words are encoded one by one, cut also at punctuation, so that of a piece that is unknown it is
  // known where it stands.
  const std::string_view whole = text;
  size_t begin = 0;
  const auto finish = [&](size_t end) {
    if (end > begin)
      add_word(whole.substr(begin, end - begin), static_cast<int32_t>(begin), tokenizer, encoder,
               tokens);
  };
  for (size_t at = 0; at < whole.size();) {
    const Character character = character_at(whole, at);
    const size_t next = at + character.size;
    if (is_space(character.code)) {
      finish(at);
      begin = next;
    } else if (is_ascii_punctuation(character.code)) {
      finish(at);
      begin = at;
      finish(next);
      begin = next;
    }
    at = next;
  }
  finish(whole.size());
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
      case TrainingTask::kInstructionTuning:
        return encode_instruction(text, tokenizer, encoder, rule);
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
