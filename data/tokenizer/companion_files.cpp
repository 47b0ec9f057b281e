#include "data/tokenizer/companion_files.h"

#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kMaxFileBytes = INT64_C(64) << 20;
constexpr int kMaxDepth = 32;
constexpr int64_t kMaxId = INT32_MAX;
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kAddedTokens = "added_tokens.json";

// An empty object where the file is not there.
Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json value = parse_python_json(read_file(path, kMaxFileBytes), path.string(), kMaxDepth);
  const JsonObject is_an_object(value, path.string());
  return value;
}

// The contents that tokenizer_config.json gives a role, which makes them special tokens.
std::set<std::string> contents_with_roles(const Json& config) {
  std::set<std::string> contents;
  const auto add = [&](const Json& token) {
    if (token.is_string()) contents.insert(token.get<std::string>());
    if (token.is_object() && token.contains("content") && token["content"].is_string())
      contents.insert(token["content"].get<std::string>());
  };
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token", "cls_token",
                          "sep_token", "mask_token"}) {
    if (config.contains(key)) add(config[key]);
  }
  if (config.contains("additional_special_tokens") &&
      config["additional_special_tokens"].is_array()) {
    for (const Json& token : config["additional_special_tokens"]) add(token);
  }
  return contents;
}

struct CompanionToken {
  Json token;         // as in added_tokens of tokenizer.json
  std::string place;  // the file, for messages
};

std::vector<CompanionToken> companion_tokens(const fs::path& folder) {
  std::vector<CompanionToken> tokens;
  const fs::path config_path = folder / kConfig;
  const Json config = read_tokenizer_config(folder);
  if (config.contains("added_tokens_decoder")) {
    const std::string place = cat(config_path.string(), ".added_tokens_decoder");
    const JsonObject is_an_object(config["added_tokens_decoder"], place);
    for (const auto& [number, token] : config["added_tokens_decoder"].items()) {
      const auto id = parse_integer(number);
      JsonObject object(token, cat(place, ".", number));
      if (!id || *id < 0 || *id > kMaxId) object.fail(number, "is no id");
      Json added = {{"id", *id}, {"content", object.text("content")}};
      for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"})
        added[flag] = object.boolean(flag, false);
      tokens.push_back({std::move(added), place});
    }
  }
  const fs::path added_path = folder / kAddedTokens;
  const Json added = read_object(added_path);
  const std::set<std::string> special = contents_with_roles(config);
  for (const auto& [content, id] : added.items()) {
    json_integer(id, 0, kMaxId, cat(added_path.string(), ": ", show_text(content)));
    const bool is_special = special.contains(content);
    tokens.push_back(
        {{{"id", id}, {"content", content}, {"normalized", !is_special}, {"special", is_special}},
         added_path.string()});
  }
  return tokens;
}

// The id that the document gives a content, in its added tokens or its vocabulary.
std::optional<int64_t> known_id(const std::map<std::string, int64_t>& added, const Json& vocabulary,
                                const std::string& content) {
  if (const auto at = added.find(content); at != added.end()) return at->second;
  if (!vocabulary.is_object() || !vocabulary.contains(content)) return std::nullopt;
  const Json& id = vocabulary[content];
  return id.is_number_integer() ? std::optional(id.get<int64_t>()) : std::nullopt;
}

bool contradicts(const Json& asked, bool found) { return asked.is_boolean() && asked != found; }

}  // namespace

Json read_tokenizer_config(const fs::path& folder) { return read_object(folder / kConfig); }

std::string tokenizer_class_of(const fs::path& folder) {
  const Json config = read_tokenizer_config(folder);
  std::string name;
  if (config.contains("tokenizer_class") && config["tokenizer_class"].is_string()) {
    name = config["tokenizer_class"].get<std::string>();
  } else {
    const Json model = read_object(folder / "config.json");
    const std::string type = model.contains("model_type") && model["model_type"].is_string()
                                 ? model["model_type"].get<std::string>()
                                 : "";
    if (type == "gpt2") name = "GPT2Tokenizer";
    if (type == "roberta") name = "RobertaTokenizer";
    if (type == "qwen2" || type == "qwen3") name = "Qwen2Tokenizer";
  }
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

void merge_added_tokens(Json& document, const fs::path& folder) {
  if (!document.is_object()) return;  // which its reader refuses
  Json& list = document["added_tokens"];
  if (list.is_null()) list = Json::array();
  if (!list.is_array()) return;
  std::map<std::string, int64_t> added;
  for (const Json& token : list) {
    const bool is_token = token.is_object() && token.contains("content") && token.contains("id") &&
                          token["content"].is_string() && token["id"].is_number_integer();
    if (is_token) added[token["content"].get<std::string>()] = token["id"].get<int64_t>();
  }
  const Json no_vocabulary = Json::object();
  const bool has_vocabulary = document.contains("model") && document["model"].is_object() &&
                              document["model"].contains("vocab");
  const Json& vocabulary = has_vocabulary ? document["model"]["vocab"] : no_vocabulary;
  for (const CompanionToken& companion : companion_tokens(folder)) {
    const auto content = companion.token["content"].get<std::string>();
    const auto id = companion.token["id"].get<int64_t>();
    const std::optional<int64_t> known = known_id(added, vocabulary, content);
    if (known && *known != id) {
      throw DataError(cat(companion.place, " gives ", show_text(content), " the id ", id,
                          ", but the vocabulary beside it ", *known));
    }
    if (added.emplace(content, id).second) list.push_back(companion.token);
  }
}

void require_agreement(const Json& document, const fs::path& folder) {
  const fs::path path = folder / kConfig;
  const Json config = read_tokenizer_config(folder);
  const auto of = [&](const char* key) { return config.contains(key) ? config[key] : Json(); };
  const auto refuse = [&](const char* key, const Json& found) {
    throw DataError(cat(path.string(), ": ", key, " is ", show_value(of(key)),
                        ", but tokenizer.json has ", show_value(found),
                        "; make one of them as the other, or take it out of ", kConfig));
  };
  const auto component = [&](const char* name) {
    return document.is_object() && document.contains(name) ? document[name] : Json();
  };
  const Json normalizer = component("normalizer");
  if (normalizer.is_object() && normalizer.value("type", "") == "BertNormalizer") {
    const std::pair<const char*, const char*> kKeys[] = {
        {"do_lower_case", "lowercase"}, {"tokenize_chinese_chars", "handle_chinese_chars"}};
    for (const auto& [theirs, ours] : kKeys) {
      const Json found = normalizer.contains(ours) ? normalizer[ours] : Json(true);
      if (found.is_boolean() && contradicts(of(theirs), found.get<bool>())) refuse(theirs, found);
    }
    const bool lowercase = !normalizer.contains("lowercase") || normalizer["lowercase"] == true;
    const Json strips = normalizer.contains("strip_accents") ? normalizer["strip_accents"] : Json();
    const bool does_strip = strips.is_boolean() ? strips.get<bool>() : lowercase;
    if (contradicts(of("strip_accents"), does_strip)) refuse("strip_accents", does_strip);
  }
  const Json words = component("pre_tokenizer");
  if (words.is_object() && words.value("type", "") == "ByteLevel") {
    const bool has_space = words.value("add_prefix_space", true);
    if (contradicts(of("add_prefix_space"), has_space)) refuse("add_prefix_space", has_space);
  }
}

}  // namespace lmtrain
