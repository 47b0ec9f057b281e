// How the chats of a model are written, as a text that it goes on with or learns from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/chat/chat_template.h"

namespace lmtrain {

inline constexpr std::string_view kAssistant = "assistant";  // the role of the model

class Chat {
 public:
  // `special` has the special tokens by name (bos_token, eos_token ...).
  Chat(std::optional<ChatTemplate> chat_template, std::map<std::string, std::string> special)
      : template_(std::move(chat_template)), special_(std::move(special)) {}

  // Without a template chats cannot be written: the last three functions must not be called.
  bool has_template() const { return template_.has_value(); }
  // "" where there is none of this name.
  std::string special_token(const std::string& name) const;
  // Equal only for chats that are written alike.
  uint64_t hash() const;

  // Up to where the model answers. Throws DataError as ChatTemplate::render does.
  std::string prompt(const std::vector<ChatMessage>& messages) const;
  // The whole chat, without marks.
  std::string whole(const std::vector<ChatMessage>& messages) const;
  // The whole chat with what of it the model writes: the parts that the template marks with
  // {% generation %}, as transformers' return_assistant_tokens_mask finds them. Where it marks
  // none, a part goes from where the model answers to the end of its message. Throws DataError
  // where the template then does not write the beginning of a chat as it writes it in the whole.
  RenderedChat with_answers(const std::vector<ChatMessage>& messages) const;

 private:
  std::optional<ChatTemplate> template_;
  std::map<std::string, std::string> special_;
};

}  // namespace lmtrain
