#include "trainer/inference/chat.h"

#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr const char* kTokenizerConfig = "tokenizer_config.json";

// Where there are several, the one that is called "default".
std::string source_in(const json& value, const std::string& place) {
  if (!value.is_array()) return json_text(value, place);
  for (const json& one : value) {
    JsonObject object(one, place);
    if (object.text("name") == "default") return object.text("template");
  }
  throw DataError(cat(place, " has no template called default"));
}

// "<s>" of "bos_token": "<s>" or "bos_token": {"content": "<s>", ..}.
std::map<std::string, std::string> special_tokens_of(const Companions& companions) {
  std::map<std::string, std::string> special;
  for (const char* const file : {"special_tokens_map.json", kTokenizerConfig}) {
    const json object = companion_json(companions, file);
    if (!object.is_object()) continue;
    for (const auto& [key, value] : object.items()) {
      if (!key.ends_with("_token")) continue;
      if (value.is_string()) special[key] = value.get<std::string>();
      if (value.is_object() && value.contains("content"))
        special[key] = json_text(value["content"], cat(file, ": ", key));
    }
  }
  return special;
}

std::optional<ChatTemplate> template_of(const Companions& companions) {
  if (const auto at = companions.find(kChatTemplateFile); at != companions.end())
    return ChatTemplate(at->second, kChatTemplateFile);
  const json config = companion_json(companions, kTokenizerConfig);
  if (!config.is_object() || !config.contains("chat_template") || config["chat_template"].is_null())
    return std::nullopt;
  const std::string place = cat(kTokenizerConfig, ": chat_template");
  return ChatTemplate(source_in(config["chat_template"], place), place);
}

}  // namespace

Chat chat_of(const Companions& companions, const Tokenizer& tokenizer) {
  std::map<std::string, std::string> special = special_tokens_of(companions);
  if (special.empty()) {
    const auto add = [&](const char* name, int32_t token) {
      if (token >= 0) special[name] = tokenizer.token_text(token);
    };
    add("bos_token", tokenizer.begin_of_text());
    add("eos_token", tokenizer.end_of_text());
  }
  return Chat(template_of(companions), std::move(special));
}

std::vector<int32_t> chat_tokens(const LoadedModel& loaded, const Chat& chat,
                                 const std::vector<ChatMessage>& messages) {
  std::vector<int32_t> tokens;
  loaded.tokenizer.encode(chat.prompt(messages), tokens, SpecialTokens::kMatched);
  if (tokens.empty()) throw DataError("the chat template makes no text of these messages");
  return tokens;
}

}  // namespace lmtrain
