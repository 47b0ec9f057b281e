#include "data/labelled/instructions.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/chat/chat.h"

namespace lmtrain {
namespace {

using nlohmann::json;

std::string role_of(const std::string& name) {
  if (name == "human") return "user";
  if (name == "gpt") return std::string(kAssistant);
  return name;
}

ChatMessage chat_message(const json& value, const std::string& place) {
  JsonObject object(value, place);
  const bool is_from_value = object.find("from") != nullptr && object.find("role") == nullptr;
  for (const char* const key : {"tool_calls", "function_call"}) {
    const json* const calls = object.find(key);
    if (calls != nullptr && !calls->is_null() && !calls->empty())
      object.fail(key, "calls of tools are not covered; leave such chats out");
  }
  if (is_from_value) return {role_of(object.text("from")), object.text("value")};
  return {role_of(object.text("role")), object.text("content")};
}

}  // namespace

FieldFormat::FieldFormat(std::string_view format, const std::string& key) {
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    if (c != '{' && c != '}') {
      texts_.back() += c;
      continue;
    }
    if (format.substr(at + 1, 1) == format.substr(at, 1)) {
      texts_.back() += c;
      ++at;
      continue;
    }
    const size_t end = c == '{' ? format.find_first_of("{}", at + 1) : std::string_view::npos;
    if (end == std::string_view::npos || format[end] != '}' || end == at + 1) {
      throw ConfigError(cat(key, ": byte ", at + 1, " of ", show_text(format),
                            " is a brace that encloses no name; write {NAME} for a column or key, "
                            "and {{ or }} for a brace"));
    }
    names_.emplace_back(format.substr(at + 1, end - at - 1));
    texts_.emplace_back();
    at = end;
  }
}

std::string FieldFormat::only_name() const {
  return names_.size() == 1 && texts_[0].empty() && texts_[1].empty() ? names_[0] : "";
}

std::string FieldFormat::filled(
    const std::function<std::string(const std::string& name)>& value_of) const {
  std::string text = texts_[0];
  for (size_t i = 0; i < names_.size(); ++i) text += value_of(names_[i]) + texts_[i + 1];
  return text;
}

std::vector<ChatMessage> chat_messages(const json& list, const std::string& place) {
  if (!list.is_array())
    throw DataError(cat(place, ": expected a list of messages, found ", show_value(list)));
  std::vector<ChatMessage> messages;
  for (const json& value : list)
    messages.push_back(chat_message(value, cat(place, "[", messages.size(), "]")));
  return messages;
}

}  // namespace lmtrain
