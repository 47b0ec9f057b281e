#include "data/labelled/encode_instructions.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "data/chat/chat.h"

namespace lmtrain {
namespace {

std::vector<int32_t> matched(std::string_view text, Tokenizer::Encoder& encoder) {
  std::vector<int32_t> ids;
  encoder.encode(text, ids, SpecialTokens::kMatched);
  return ids;
}

size_t num_bytes(const Tokenizer& tokenizer, int32_t id) {
  return tokenizer.is_special(id) ? tokenizer.token_text(id).size()
                                  : static_cast<size_t>(tokenizer.token_num_bytes(id));
}

// Marks the tokens that have a byte in one of the parts.
std::vector<int32_t> marks_of(const std::vector<int32_t>& ids, const RenderedChat& chat,
                              const Tokenizer& tokenizer) {
  const std::string_view text = chat.text;
  size_t all = 0;
  for (const int32_t id : ids) all += num_bytes(tokenizer, id);
  if (!tokenizer.is_byte_level() || all != tokenizer.normalized(text).size()) {
    throw DataError(
        "of this tokenizer's tokens it is not known where they stand in the text, which chats "
        "need; take a byte-level one, or make prompts and completions of the chats");
  }
  std::vector<int32_t> marks(ids.size(), 0);
  for (const TextPart& part : chat.generated) {
    const size_t begin = tokenizer.normalized(text.substr(0, part.begin)).size();
    const size_t end = tokenizer.normalized(text.substr(0, part.end)).size();
    size_t at = 0;
    for (size_t i = 0; i < ids.size() && at < end; ++i) {
      at += num_bytes(tokenizer, ids[i]);
      if (at > begin) marks[i] = 1;
    }
  }
  return marks;
}

// Marks what `whole` has behind the tokens that it shares with the beginning of `prompt`.
std::vector<int32_t> marks_behind(const std::vector<int32_t>& prompt,
                                  const std::vector<int32_t>& whole) {
  const auto shared = std::ranges::mismatch(prompt, whole).in2 - whole.begin();
  std::vector<int32_t> marks(whole.size(), 1);
  std::fill_n(marks.begin(), shared, 0);
  return marks;
}

struct MarkedTokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> marks;  // 1: is learned
};

MarkedTokens of_chat(const LabelledText& text, const Tokenizer& tokenizer,
                     Tokenizer::Encoder& encoder, const EncodingRule& rule) {
  if (rule.chat == nullptr || !rule.chat->has_template()) {
    throw DataError(
        "the model came with no chat template, which makes a text of messages; name one in "
        "data.labelled.chat_template");
  }
  const Chat& chat = *rule.chat;
  MarkedTokens tokens;
  if (text.num_asked == 0) {
    const RenderedChat rendered = chat.with_answers(text.messages);
    tokens.ids = matched(rendered.text, encoder);
    tokens.marks = marks_of(tokens.ids, rendered, tokenizer);
    return tokens;
  }
  const auto asked_end = text.messages.begin() + static_cast<std::ptrdiff_t>(text.num_asked);
  tokens.ids = matched(chat.whole(text.messages), encoder);
  tokens.marks =
      marks_behind(matched(chat.prompt({text.messages.begin(), asked_end}), encoder), tokens.ids);
  return tokens;
}

MarkedTokens of_completion(const LabelledText& text, const Tokenizer& tokenizer,
                           Tokenizer::Encoder& encoder, const EncodingRule& rule) {
  const std::string& completion = text.texts.pair;
  std::string end = rule.chat == nullptr ? "" : rule.chat->special_token("eos_token");
  if (completion.ends_with(end)) end.clear();
  MarkedTokens tokens;
  tokens.ids = matched(cat(text.texts.text, completion, end), encoder);
  tokens.marks = marks_behind(matched(text.texts.text, encoder), tokens.ids);
  if (const int32_t begin = tokenizer.begin_of_text(); begin >= 0) {
    tokens.ids.insert(tokens.ids.begin(), begin);
    tokens.marks.insert(tokens.marks.begin(), 0);
  }
  return tokens;
}

}  // namespace

EncodedExamples encode_instruction(const LabelledText& text, const Tokenizer& tokenizer,
                                   Tokenizer::Encoder& encoder, const EncodingRule& rule) {
  MarkedTokens tokens = text.messages.empty() ? of_completion(text, tokenizer, encoder, rule)
                                              : of_chat(text, tokenizer, encoder, rule);
  if (rule.learn == LearnedPart::kAll) std::ranges::fill(tokens.marks, 1);
  EncodedExamples result;
  const auto room = static_cast<size_t>(rule.max_tokens);
  if (tokens.ids.size() > room) {
    result.num_cut = 1;
    tokens.ids.resize(room);
    tokens.marks.resize(room);
  }
  // Nothing comes before the first token from which it could be told.
  if (tokens.marks.empty() ||
      std::find(tokens.marks.begin() + 1, tokens.marks.end(), 1) == tokens.marks.end()) {
    result.num_without_label = 1;
    return result;
  }
  Example example;
  example.type_ids.assign(tokens.ids.size(), 0);
  example.ids = std::move(tokens.ids);
  example.labels = std::move(tokens.marks);
  result.examples.push_back(std::move(example));
  return result;
}

}  // namespace lmtrain
