// The BPE component of tokenizer.json.
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bpe_model.h"

namespace lmtrain {

namespace {

using Json = nlohmann::json;
using IdOfToken = std::unordered_map<std::string_view, int32_t>;

int32_t merge_part(const IdOfToken& ids, std::string_view token, const std::string& what) {
  const auto found = ids.find(token);
  if (found == ids.end()) {
    throw DataError(cat(what, ": ", show_text(token), " is not in the vocabulary"));
  }
  return found->second;
}

// Parses ["a","b"], or "a b" as older versions of the format write it.
BpeMerge parse_merge(const Json& value, const IdOfToken& ids, const std::string& what) {
  std::string left;
  std::string right;
  if (value.is_array() && value.size() == 2) {
    left = json_text(value[0], what);
    right = json_text(value[1], what);
  } else if (value.is_string()) {
    const auto& both = value.get_ref<const std::string&>();
    const size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
      throw DataError(cat(what, ": must be two tokens and a space between, is ", show_text(both)));
    }
    left = both.substr(0, space);
    right = both.substr(space + 1);
  } else {
    throw DataError(cat(what, ": must be a list of two tokens, is ", show_value(value)));
  }
  return {merge_part(ids, left, what), merge_part(ids, right, what)};
}

std::vector<BpeMerge> parse_merges(const Json& value, const std::vector<std::string>& tokens,
                                   const std::string& place) {
  if (!value.is_array())
    throw DataError(cat(place, ".merges: must be a list, is ", show_value(value)));
  IdOfToken ids;
  for (size_t id = 0; id < tokens.size(); ++id) ids.emplace(tokens[id], static_cast<int32_t>(id));
  ids.erase("");  // the ids of added tokens
  std::vector<BpeMerge> merges;
  merges.reserve(value.size());
  for (const Json& merge : value) {
    const std::string what = place + ".merges[" + std::to_string(merges.size()) + "]";
    merges.push_back(parse_merge(merge, ids, what));
  }
  return merges;
}

std::string json_string(const std::string& text) { return Json(text).dump(); }

}  // namespace

std::unique_ptr<BpeModel> parse_bpe_model(const Json& value, int64_t num_ids,
                                          const std::string& place) {
  JsonObject object(value, place);
  object.find("type");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) object.nothing(key);
  const Json* dropout = object.find("dropout");
  if (dropout == nullptr || !dropout->is_number() || *dropout != 0) object.nothing("dropout");
  object.only("byte_fallback", false);
  const bool ignores_merges = object.boolean("ignore_merges", false);
  // The unknown token is never used, because every byte has a token.
  const Json* unknown = object.find("unk_token");
  if (unknown != nullptr && !unknown->is_null()) object.text("unk_token");
  object.boolean("fuse_unk", false);

  auto tokens = parse_vocabulary(object.required("vocab"), num_ids, place + ".vocab");
  auto merges = parse_merges(object.required("merges"), tokens, place);
  object.finish();
  return std::make_unique<BpeModel>(std::move(tokens), std::move(merges),
                                    ignores_merges ? WholeWords::kFirst : WholeWords::kByMerges,
                                    place);
}

std::string BpeModel::to_json() const {
  std::string json =
      R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,)"
      R"("end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":)";
  json += whole_words_.empty() ? "false" : "true";
  json.append(R"(,"vocab":)").append(vocabulary_json(tokens_)).append(R"(,"merges":[)");
  const char* separator = "";
  for (const auto [left, right] : merges_) {
    json.append(separator).append("[").append(json_string(tokens_[static_cast<size_t>(left)]));
    json.append(",").append(json_string(tokens_[static_cast<size_t>(right)])).append("]");
    separator = ",";
  }
  return json + "]}";
}

}  // namespace lmtrain
