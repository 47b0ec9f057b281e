#include "models/huggingface/companions.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMaxBytes = int64_t{4} << 20;
constexpr int kMaxDepth = 32;
constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr std::array<const char*, 14> kNames = {kConfig,
                                                kGeneration,
                                                "tokenizer_config.json",
                                                "special_tokens_map.json",
                                                "chat_template.jinja",
                                                "modules.json",
                                                "1_Pooling/config.json",
                                                "sentence_bert_config.json",
                                                "sentence_roberta_config.json",
                                                "sentence_distilbert_config.json",
                                                "sentence_xlm-roberta_config.json",
                                                "sentence_camembert_config.json",
                                                "sentence_albert_config.json",
                                                "config_sentence_transformers.json"};

json parse(const std::string& name, const std::string& text) {
  return parse_python_json(text, name, kMaxDepth);
}

// An empty object where the file is not among them.
json object_of(const Companions& companions, const std::string& name) {
  json value = companion_json(companions, name);
  if (value.is_null()) return json::object();
  const JsonObject is_an_object(value, name);
  return value;
}

double number_of(const json& object, const char* key, double least, double most) {
  const json& value = object[key];
  const bool fits =
      value.is_number() && value.get<double>() >= least && value.get<double>() <= most;
  if (!fits) {
    throw DataError(cat(kGeneration, ": ", key, " is ", show_value(value), ", not a number from ",
                        least, " to ", most));
  }
  return value.get<double>();
}

}  // namespace

Companions read_companions(const fs::path& folder) {
  Companions companions;
  for (const std::string name : kNames) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) continue;
    if (!fs::is_regular_file(path)) throw DataError(cat(path.string(), " is no file"));
    std::string text = read_file(path, kMaxBytes);
    if (name.ends_with(".json")) parse(path.string(), text);
    if (find_invalid_utf8(text) != text.size()) throw DataError(cat(path.string(), ": not UTF-8"));
    companions[name] = std::move(text);
  }
  return companions;
}

json companion_json(const Companions& companions, const std::string& name) {
  const auto at = companions.find(name);
  return at == companions.end() ? json() : parse(name, at->second);
}

void check_companions(const Companions& companions) {
  for (const auto& [name, text] : companions) {
    if (std::ranges::find(kNames, name) == kNames.end())
      throw DataError(cat("holds a file of transformers that is none: '", name, "'"));
  }
}

std::vector<int32_t> end_tokens_of(const Companions& companions, int64_t num_tokens) {
  std::vector<int32_t> ends;
  for (const char* name : {kGeneration, kConfig}) {
    const json object = object_of(companions, name);
    if (!object.contains("eos_token_id") || object["eos_token_id"].is_null()) continue;
    const json& ids = object["eos_token_id"];
    for (const json& id : ids.is_array() ? ids : json::array({ids})) {
      const int64_t end = json_integer(id, 0, INT32_MAX, cat(name, ": eos_token_id"));
      // A small model may keep the ids of a larger vocabulary, which no text of its own reaches.
      if (end < num_tokens) ends.push_back(static_cast<int32_t>(end));
    }
    return ends;
  }
  return ends;
}

void add_end_token(Companions& companions, int32_t token, int64_t num_tokens) {
  std::vector<int32_t> ends = end_tokens_of(companions, num_tokens);
  if (std::ranges::find(ends, token) != ends.end()) return;
  ends.push_back(token);
  json object = object_of(companions, kGeneration);
  object["eos_token_id"] = ends;
  companions[kGeneration] = object.dump(2) + "\n";
}

SamplingDefaults sampling_defaults_of(const Companions& companions) {
  const json object = object_of(companions, kGeneration);
  const auto has = [&](const char* key) { return object.contains(key) && !object[key].is_null(); };
  SamplingDefaults defaults;
  if (has("do_sample") && object["do_sample"] == false) {
    defaults.temperature = 0.0;
    return defaults;
  }
  if (has("do_sample") && object["do_sample"] == true)  // what transformers then assumes
    defaults = {1.0, 50, 1.0};
  if (has("temperature")) defaults.temperature = number_of(object, "temperature", 0.0, 100.0);
  if (has("top_k")) defaults.top_k = static_cast<int64_t>(number_of(object, "top_k", 0.0, 1 << 24));
  if (has("top_p")) defaults.top_p = number_of(object, "top_p", 0.0, 1.0);
  return defaults;
}

void keep_token_ids(const Companions& companions, json& config) {
  const json theirs = object_of(companions, kConfig);
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (theirs.contains(key)) config[key] = theirs[key];
  }
}

void write_companions(const Companions& companions, const fs::path& folder) {
  for (const auto& [name, text] : companions) {
    if (name == kConfig) continue;
    make_folders((folder / name).parent_path());
    write_file_durably(folder / name, text);
  }
}

}  // namespace lmtrain
