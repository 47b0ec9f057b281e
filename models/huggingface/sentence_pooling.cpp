#include "models/huggingface/sentence_pooling.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr const char* kModules = "modules.json";
constexpr const char* kPooling = "1_Pooling/config.json";
constexpr const char* kTokenizer = "tokenizer_config.json";
// The newest name first.
constexpr std::array<const char*, 6> kLengths = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_xlm-roberta_config.json",
    "sentence_camembert_config.json",  "sentence_albert_config.json"};
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
    std::ranges::sort(poolings);  // the order of these keys does not count
  }
  const bool says_nothing = std::ranges::none_of(
      config.items(), [](const auto& item) { return item.key().starts_with("pooling_mode"); });
  if (says_nothing) poolings = {Pooling::kMean};  // what the package then takes
  if (poolings.empty()) throw DataError(cat(kPooling, " names no pooling"));
  return poolings;
}

// "Pooling" of "sentence_transformers.models.Pooling".
std::string kind_of_module(const json& entry) {
  const JsonObject is_an_object(entry, kModules);
  const std::string type = json_text(entry.value("type", json()), cat(kModules, ": type"));
  return type.substr(type.rfind('.') + 1);
}

// As the package finds it: its own file first, else what the tokenizer says. Numbers that stand for
// "no limit" are no limit.
std::optional<int64_t> max_tokens_of(const Companions& companions) {
  for (const char* const name : kLengths) {
    const json config = companion_json(companions, name);
    if (!config.is_object()) continue;
    if (config.value("do_lower_case", json(false)) == true)
      throw DataError(cat(name, ": do_lower_case is true, which lmtrain does not have"));
    const json length = config.value("max_seq_length", json());
    if (!length.is_null()) return json_integer(length, 1, INT32_MAX, cat(name, ": max_seq_length"));
  }
  const json tokenizer = companion_json(companions, kTokenizer);
  if (!tokenizer.is_object()) return std::nullopt;
  const json length = tokenizer.value("model_max_length", json());
  const bool is_limit = length.is_number_integer() && length.get<int64_t>() > 0;
  return is_limit ? std::optional(length.get<int64_t>()) : std::nullopt;
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
  pooling.max_tokens = max_tokens_of(companions);
  pooling.prompt = prompt_of(companion_json(companions, kPrompts));
  const json config = companion_json(companions, kPooling);
  if (!pooling.prompt.empty() && config.value("include_prompt", json(true)) == false) {
    throw DataError(cat(kPooling,
                        ": include_prompt is false, and lmtrain pools the prompt's tokens "
                        "too; give --prefix \"\" and no prompt"));
  }
  return pooling;
}

}  // namespace lmtrain
