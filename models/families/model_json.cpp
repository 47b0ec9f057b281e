// The part of config.json that all families share: the class with its head, labels, vocabulary.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "models/families/families.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// Returns the labels by number, or "LABEL_0", "LABEL_1" where config.json names none, as in
// transformers.
std::vector<std::string> read_labels(ConfigJson& from) {
  if (from.is_null("id2label")) return {"LABEL_0", "LABEL_1"};
  const json& names = from.required("id2label");
  if (!names.is_object() || names.empty()) from.fail("id2label", "must name the labels");
  std::vector<std::string> labels(names.size());
  for (const auto& [number, name] : names.items()) {
    size_t index = labels.size();
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
    const bool is_known = error == std::errc() && end == number.data() + number.size() &&
                          index < labels.size() && name.is_string() && labels[index].empty();
    if (!is_known || name.get<std::string>().empty())
      from.fail("id2label", "must map 0, 1, .. to names");
    labels[index] = name.get<std::string>();
  }
  return labels;
}

const char* problem_type_of(const ModelConfig& model) {
  return model.is_regression() ? "regression" : "single_label_classification";
}

void read_label_head(ConfigJson& from, ModelConfig& model) {
  if (!model.has_label_head() || model.answers_questions()) return;
  model.labels = read_labels(from);
  if (!from.is_null("classifier_dropout"))
    note_other_dropouts(from, model, {"classifier_dropout"}, model.dropout);
  const std::string problem = from.text("problem_type", "");
  if (!model.classifies_texts() || problem.empty() || problem == problem_type_of(model)) return;
  from.fail("problem_type", cat("is ", show_text(problem), "; with ", model.labels.size(),
                                " labels lmtrain has ", problem_type_of(model)));
}

// Reads the head from the class that config.json names; without a class the head is a language
// model.
void read_head(ConfigJson& from, ModelConfig& model) {
  if (from.is_null("architectures")) return;
  const json& names = from.required("architectures");
  if (!names.is_array() || names.size() != 1 || !names[0].is_string())
    from.fail("architectures", "must be a list of one name");
  const auto name = names[0].get<std::string>();
  const std::vector<HeadClass> classes = family_of(model).classes(model);
  const auto found = std::ranges::find(classes, name, &HeadClass::name);
  if (found == classes.end()) {
    std::vector<std::string> known;
    for (const HeadClass& one : classes) known.push_back(one.name);
    from.fail("architectures", cat(show_text(name), " is not one of ", join(known, ", ")));
  }
  model.head = found->head;
  read_label_head(from, model);
}

std::string class_name(const ModelConfig& model) {
  const std::vector<HeadClass> classes = family_of(model).classes(model);
  const auto found = std::ranges::find(classes, model.head, &HeadClass::head);
  return found == classes.end() ? "" : found->name;
}

void write_labels(const ModelConfig& model, json& value) {
  if (model.labels.empty()) return;
  json names = json::object();
  json numbers = json::object();
  for (size_t i = 0; i < model.labels.size(); ++i) {
    names[std::to_string(i)] = model.labels[i];
    numbers[model.labels[i]] = i;
  }
  value["id2label"] = names;
  value["label2id"] = numbers;
  value["classifier_dropout"] = model.dropout;
  if (model.classifies_texts()) value["problem_type"] = problem_type_of(model);
}

void write_ids(const ModelConfig& model, const TokenIds& ids, json& value) {
  const auto id = [](int64_t number) { return number < 0 ? json() : json(number); };
  if (!model.traits().predicts_next_token()) {
    if (!value.contains("pad_token_id")) value["pad_token_id"] = id(ids.pad);
    return;
  }
  value["bos_token_id"] = id(ids.begin);
  value["eos_token_id"] = id(ids.end);
  // transformers finds the last token of each text in a batch by this id.
  if (model.has_label_head()) value["pad_token_id"] = id(ids.pad >= 0 ? ids.pad : ids.end);
}

// Returns the family that has this model_type.
const ModelFamily& family_of_type(const std::string& type, ConfigJson& from) {
  std::vector<std::string> known;
  for (const ModelFamily& family : model_families()) {
    if (std::ranges::count(family.model_types, type) > 0) return family;
    known.insert(known.end(), family.model_types.begin(), family.model_types.end());
  }
  const std::string last = known.back();
  known.pop_back();
  from.fail("model_type",
            cat(show_text(type), " is not available; ", join(known, ", "), " and ", last, " are"));
}

}  // namespace

HuggingfaceModel model_from_json(const json& value, const std::string& place) {
  ConfigJson from(value, place);
  HuggingfaceModel model;
  ModelConfig& config = model.config;
  const std::string type = from.text("model_type", "");
  const ModelFamily& family = family_of_type(type, from);
  config.kind = family.kind;
  family.read_json(type, from, config);
  read_head(from, config);
  model.num_tokens = from.integer("vocab_size");
  config.vocab_size = model.num_tokens;
  config.init_std = from.real("initializer_range", 0.02);
  const bool ties_by_default = config.traits().has_tied_embeddings;
  const bool ties = from.boolean("tie_word_embeddings", ties_by_default);
  if (ties != ties_by_default) config.embeddings = ties ? Embeddings::kTied : Embeddings::kUntied;
  return model;
}

void complete_by_files(HuggingfaceModel& model, const SafetensorsFolder& files) {
  const ModelFamily& family = family_of(model.config);
  if (family.read_files == nullptr || model.config.has_label_head()) return;
  family.read_files(files, model.config);
}

json model_to_json(const ModelConfig& config, int64_t num_tokens, const TokenIds& ids,
                   const std::string& type) {
  json value = family_of(config).write_json(config);
  value["architectures"] = {class_name(config)};
  write_labels(config, value);
  value["vocab_size"] = num_tokens;
  value["initializer_range"] = config.init_std;
  value["tie_word_embeddings"] = config.traits().has_tied_embeddings;
  write_ids(config, ids, value);
  value["use_cache"] = true;
  value["dtype"] = type;
  return value;
}

}  // namespace lmtrain
