#include "data/chat/chat_template.h"

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/chat/template_parser.h"
#include "data/chat/template_renderer.h"
#include "data/chat/template_scopes.h"

namespace lmtrain {
namespace {

// Messages of templates may be of several lines and of any length.
std::string one_line(const std::string& message) {
  constexpr size_t kMaxBytes = 400;
  std::string line;
  for (const char c : shown_as_utf8(message)) {
    if (line.size() >= kMaxBytes && starts_character(c)) return line + "...";
    line += c >= 0 && c < ' ' ? ' ' : c;
  }
  return line;
}

DataError error_of(const TemplateFault& fault, const std::string& origin, int line) {
  return DataError(cat(origin, ": line ", line, ": ", one_line(fault.what())));
}

TemplateValue checked_text(const std::string& text, const std::string& what) {
  if (find_invalid_utf8(text) != text.size()) throw DataError(cat(what, " is not valid UTF-8"));
  return text_value(text);
}

TemplateValue message_value(const ChatMessage& message, TemplateBudget& budget) {
  TemplateDict dict;
  dict.set(text_value("role"), checked_text(message.role, "the role of a message"), budget);
  dict.set(text_value("content"), checked_text(message.content, "the content of a message"),
           budget);
  return dict_value(std::move(dict));
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, const std::string& origin)
    : origin_(origin), source_(source) {
  if (std::ssize(source) > kMaxBytes) {
    throw DataError(
        cat(origin, ": has ", source.size(), " bytes; at most ", kMaxBytes, " are allowed"));
  }
  if (find_invalid_utf8(source) != source.size()) {
    throw DataError(cat(origin, ": is not valid UTF-8"));
  }
  try {
    auto body = std::make_shared<TemplateBody>(parse_template(source));
    find_hidden_names(*body);
    body_ = std::move(body);
  } catch (const TemplateFault& fault) {
    throw error_of(fault, origin_, fault.line);
  }
}

RenderedChat ChatTemplate::render(const std::vector<ChatMessage>& messages,
                                  bool add_generation_prompt,
                                  const std::map<std::string, std::string>& special) const {
  TemplateVariables variables;
  for (const auto& [name, token] : special) {
    variables[name] = checked_text(token, cat("the special token '", name, "'"));
  }
  variables["add_generation_prompt"] = {add_generation_prompt};
  variables["tools"] = {};
  variables["documents"] = {};
  TemplateRenderer renderer(std::move(variables));
  try {
    TemplateItems items;
    for (const ChatMessage& message : messages) {
      items.push_back(message_value(message, renderer.budget()));
    }
    renderer.set_variable("messages", list_value(std::move(items)));
    return renderer.render(*body_);
  } catch (const TemplateFault& fault) {
    throw error_of(fault, origin_, renderer.line());
  }
}

}  // namespace lmtrain
