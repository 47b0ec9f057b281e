// Instructions with their answers as files hold them: chats, and fields that prompt and completion
// are made of.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strict_json.h"
#include "data/chat/chat_template.h"

namespace lmtrain {

// A text with places for fields: "Translate: {en}". {{ and }} stand for braces.
class FieldFormat {
 public:
  // Throws ConfigError, naming the key `key`, for a brace without its other one.
  FieldFormat(std::string_view format, const std::string& key);

  const std::vector<std::string>& names() const { return names_; }
  // The name where the format is just one field, else "".
  std::string only_name() const;
  std::string filled(const std::function<std::string(const std::string& name)>& value_of) const;

 private:
  std::vector<std::string> texts_ = {""};  // around the fields: one more than names
  std::vector<std::string> names_;
};

// A list of messages: objects with "role" and "content", or "from" and "value", whose human is the
// user and whose gpt the assistant. Throws DataError.
std::vector<ChatMessage> chat_messages(const nlohmann::json& list, const std::string& place);

}  // namespace lmtrain
