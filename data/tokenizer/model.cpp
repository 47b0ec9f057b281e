#include "data/tokenizer/model.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bpe_model.h"
#include "data/tokenizer/wordpiece_model.h"

namespace lmtrain {

std::vector<std::string> parse_vocabulary(const nlohmann::json& value, int64_t num_ids,
                                          const std::string& place) {
  const JsonObject object(value, place);
  std::vector<std::string> tokens(static_cast<size_t>(num_ids));
  for (const auto& [token, id_value] : value.items()) {
    const std::string what = place + "[" + show_text(token) + "]";
    if (token.empty()) throw DataError(cat(what, ": an empty token"));
    const auto id = static_cast<size_t>(json_integer(id_value, 0, num_ids - 1, what));
    if (!tokens[id].empty()) {
      throw DataError(
          cat(what, ": the id ", id, " belongs to ", show_text(tokens[id]), " already"));
    }
    tokens[id] = token;
  }
  return tokens;
}

std::string vocabulary_json(const std::vector<std::string>& tokens) {
  std::string json = "{";
  const char* separator = "";
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    json.append(separator).append(nlohmann::json(tokens[id]).dump());
    json.append(":").append(std::to_string(id));
    separator = ",";
  }
  return json + "}";
}

std::unique_ptr<TokenModel> parse_model(const nlohmann::json& value, int64_t num_ids,
                                        const std::string& place) {
  JsonObject object(value, place);
  // Older files name no type. Their models have merges (BPE) or a limit of characters (WordPiece).
  const bool is_named = object.find("type") != nullptr;
  const bool is_bpe = !is_named && object.find("merges") != nullptr;
  const bool is_wordpiece = !is_named && object.find("max_input_chars_per_word") != nullptr;
  const std::string type = is_bpe ? "BPE" : is_wordpiece ? "WordPiece" : object.text("type");
  if (type == "BPE") return parse_bpe_model(value, num_ids, place);
  if (type == "WordPiece") return parse_wordpiece_model(value, num_ids, place);
  throw DataError(cat(place, ": the type ", show_text(type),
                      " is not supported; supported are 'BPE' and 'WordPiece'"));
}

}  // namespace lmtrain
