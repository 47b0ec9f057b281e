#include "models/huggingface/sentence_pooling.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr const char* kModules = "modules.json";
constexpr const char* kPooling = "1_Pooling/config.json";
constexpr const char* kLength = "sentence_bert_config.json";
constexpr const char* kPrompts = "config_sentence_transformers.json";

Pooling pooling_called(const std::string& name) {
  const auto pooling = choice_of<Pooling>(name);
  if (pooling) return *pooling;
  throw DataError(cat(kPooling, ": pooling_mode ", show_text(name), " is none of ",
                      join(all_names<Pooling>(), ", ")));
}

// The package writes one key a kind, "pooling_mode_mean_tokens", or all kinds in "pooling_mode".
std::vector<Pooling> poolings_of(const json& config) {
  const JsonObject is_an_object(config, kPooling);
  std::vector<Pooling> poolings;
  if (config.contains("pooling_mode") && !config["pooling_mode"].is_null()) {
    const json& names = config["pooling_mode"];
    for (const json& name : names.is_array() ? names : json::array({names}))
      poolings.push_back(pooling_called(json_text(name, cat(kPooling, ": pooling_mode"))));
  } else {
    for (const auto& [key, value] : config.items()) {
      constexpr std::string_view kPrefix = "pooling_mode_";
      if (!key.starts_with(kPrefix) || value != true) continue;
      std::string name = key.substr(kPrefix.size());
      for (const std::string_view ending : {"_tokens", "_token"}) {
        const bool is_name = choice_of<Pooling>(name).has_value();
        if (!is_name && name.ends_with(ending)) name.erase(name.rfind(ending));
      }
      poolings.push_back(pooling_called(name));
    }
  }
  std::ranges::sort(poolings);
  if (poolings.empty()) throw DataError(cat(kPooling, " names no pooling"));
  return poolings;
}

// "Pooling" of "sentence_transformers.models.Pooling".
std::string kind_of_module(const json& entry) {
  const JsonObject is_an_object(entry, kModules);
  const std::string type = json_text(entry.value("type", json()), cat(kModules, ": type"));
  return type.substr(type.rfind('.') + 1);
}

std::string prompt_of(const json& config) {
  if (config.is_null() || !config.contains("default_prompt_name") ||
      config["default_prompt_name"].is_null())
    return "";
  const std::string name =
      json_text(config["default_prompt_name"], cat(kPrompts, ": default_prompt_name"));
  const json prompts = config.value("prompts", json::object());
  if (!prompts.is_object() || !prompts.contains(name))
    throw DataError(cat(kPrompts, ": prompts has no ", show_text(name)));
  return json_text(prompts[name], cat(kPrompts, ": prompts"));
}

}  // namespace

std::optional<SentencePooling> sentence_pooling_of(const Companions& companions) {
  const json modules = companion_json(companions, kModules);
  if (modules.is_null()) return std::nullopt;
  if (!modules.is_array()) throw DataError(cat(kModules, " is no list"));
  SentencePooling pooling;
  for (const json& entry : modules) {
    const std::string kind = kind_of_module(entry);
    if (kind == "Pooling") {
      const json config = companion_json(companions, kPooling);
      if (config.is_null()) throw DataError(cat(kModules, " names a Pooling, but not ", kPooling));
      pooling.poolings = poolings_of(config);
    } else if (kind == "Normalize") {
      pooling.normalises = true;
    } else if (kind != "Transformer") {
      throw DataError(cat(kModules, " has a module ", show_text(kind),
                          ", which lmtrain does not have; it has Transformer, Pooling, Normalize"));
    }
  }
  if (pooling.poolings.empty()) throw DataError(cat(kModules, " has no Pooling"));
  const json length = companion_json(companions, kLength);
  if (length.is_object() && length.contains("max_seq_length") &&
      length["max_seq_length"].is_number())
    pooling.max_tokens =
        json_integer(length["max_seq_length"], 1, INT32_MAX, cat(kLength, ": max_seq_length"));
  if (length.is_object() && length.value("do_lower_case", json(false)) == true)
    throw DataError(cat(kLength, ": do_lower_case is true, which lmtrain does not have"));
  pooling.prompt = prompt_of(companion_json(companions, kPrompts));
  return pooling;
}

}  // namespace lmtrain
