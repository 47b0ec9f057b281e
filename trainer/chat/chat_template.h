// The chat template of a transformers folder: a template of Jinja that makes one text of a list of
// messages. Of Jinja it covers what the templates of models use (docs/inference.md).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

struct TemplateBody;

// A message of a chat.
struct ChatMessage {
  std::string role;
  std::string content;
};

// Renders as transformers' apply_chat_template does: what a template writes is the same to the
// byte, and what lmtrain does not cover is an error.
class ChatTemplate {
 public:
  // `origin` opens messages of errors ("tokenizer_config.json: chat_template"). Throws DataError
  // with the line for what is not Jinja, and for what of Jinja lmtrain does not cover.
  ChatTemplate(std::string_view source, const std::string& origin);

  // `special` has the special tokens by name (bos_token, eos_token ...). Throws DataError with the
  // template's own message where it calls raise_exception, where Jinja would raise, and where the
  // template exceeds the limits of template_budget.h.
  std::string render(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                     const std::map<std::string, std::string>& special) const;

 private:
  std::string origin_;
  std::shared_ptr<const TemplateBody> body_;
};

}  // namespace lmtrain
