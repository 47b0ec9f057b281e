// The chat template of a transformers folder: a template of Jinja that makes one text of a list of
// messages. Of Jinja it covers what the templates of models use (docs/inference.md).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

struct TemplateBody;

// The file of a folder of transformers that holds a template.
inline constexpr const char* kChatTemplateFile = "chat_template.jinja";

// A message of a chat.
struct ChatMessage {
  std::string role;
  std::string content;
};

// A part of a text, in bytes.
struct TextPart {
  size_t begin = 0;
  size_t end = 0;
};

struct RenderedChat {
  std::string text;
  std::vector<TextPart> generated;  // what the template marks with {% generation %}, in order
};

// Renders as transformers' apply_chat_template does: what a template writes is the same to the
// byte, and what lmtrain does not cover is an error.
class ChatTemplate {
 public:
  static constexpr int64_t kMaxBytes = 1 << 20;  // the longest known template has about 30,000

  // `origin` opens messages of errors ("tokenizer_config.json: chat_template"). Throws DataError
  // with the line for what is not Jinja, and for what of Jinja lmtrain does not cover.
  ChatTemplate(std::string_view source, const std::string& origin);

  // `special` has the special tokens by name (bos_token, eos_token ...). Throws DataError with the
  // template's own message where it calls raise_exception, where Jinja would raise, and where the
  // template exceeds the limits of template_budget.h.
  RenderedChat render(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                      const std::map<std::string, std::string>& special) const;

  const std::string& source() const { return source_; }

 private:
  std::string origin_;
  std::string source_;
  std::shared_ptr<const TemplateBody> body_;
};

}  // namespace lmtrain
