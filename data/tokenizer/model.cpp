#include "data/tokenizer/model.h"

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bpe_model.h"

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

std::unique_ptr<TokenModel> parse_model(const nlohmann::json& value, int64_t num_ids,
                                        const std::string& place) {
  JsonObject object(value, place);
  // Files of the format's first years name no type; their models have merges.
  const bool unnamed_bpe = object.find("type") == nullptr && object.find("merges") != nullptr;
  const std::string type = unnamed_bpe ? "BPE" : object.text("type");
  if (type == "BPE") return parse_bpe_model(value, num_ids, place);
  throw DataError(
      cat(place, ": the type ", show_text(type), " is not supported; supported is 'BPE'"));
}

}  // namespace lmtrain
