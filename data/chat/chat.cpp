#include "data/chat/chat.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace lmtrain {

std::string Chat::special_token(const std::string& name) const {
  const auto found = special_.find(name);
  return found == special_.end() ? "" : found->second;
}

uint64_t Chat::hash() const {
  uint64_t hash = template_ ? hash_text(template_->source()) : 0;
  for (const auto& [name, token] : special_) hash = hash_text(token, hash_text(name, hash));
  return hash;
}

std::string Chat::prompt(const std::vector<ChatMessage>& messages) const {
  return template_->render(messages, /*add_generation_prompt=*/true, special_).text;
}

std::string Chat::whole(const std::vector<ChatMessage>& messages) const {
  return template_->render(messages, /*add_generation_prompt=*/false, special_).text;
}

RenderedChat Chat::with_answers(const std::vector<ChatMessage>& messages) const {
  RenderedChat chat = template_->render(messages, /*add_generation_prompt=*/false, special_);
  if (!chat.generated.empty()) return chat;
  std::vector<ChatMessage> before;
  for (const ChatMessage& message : messages) {
    if (message.role != kAssistant) {
      before.push_back(message);
      continue;
    }
    const std::string asked = prompt(before);
    before.push_back(message);
    std::string answered = whole(before);
    // Some templates end a chat with the end token, which is then behind the last message alone.
    const std::string end = special_token("eos_token");
    if (!chat.text.starts_with(answered) && answered.ends_with(end))
      answered.resize(answered.size() - end.size());
    if (!answered.starts_with(asked) || !chat.text.starts_with(answered)) {
      throw DataError(
          cat("the chat template does not write the first ", before.size(),
              " messages as it writes them in the whole chat, so that it is not known which part "
              "is the answer; give a template whose answers stand between {% generation %} and "
              "{% endgeneration %} (data.labelled.chat_template)"));
    }
    chat.generated.push_back({asked.size(), answered.size()});
  }
  return chat;
}

}  // namespace lmtrain
