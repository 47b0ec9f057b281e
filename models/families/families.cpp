#include "models/families/families.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/config_value.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

const std::vector<ModelFamily>& model_families() {
  static const std::vector<ModelFamily> families = {
      gpt2_family(), llama_family(),   qwen2_family(),     mistral_family(),
      bert_family(), roberta_family(), distilbert_family()};
  return families;
}

const ModelFamily& family_of(const ModelConfig& model) {
  const auto found = std::ranges::find(model_families(), model.kind, &ModelFamily::kind);
  if (found == model_families().end())
    throw std::logic_error(cat("there is no model.kind = ", model.kind));
  return *found;
}

std::vector<std::string> model_kinds() {
  std::vector<std::string> kinds;
  for (const ModelFamily& family : model_families()) kinds.push_back(family.kind);
  return kinds;
}

std::string model_kinds_text() {
  std::vector<std::string> texts;
  for (const ModelFamily& family : model_families())
    texts.push_back(cat(family.kind, ": ", family.summary));
  return join(texts, "; ");
}

ModelTraits ModelConfig::traits() const { return family_of(*this).traits(*this); }

TensorMap tensor_map_of(const ModelConfig& config, int64_t num_tokens) {
  return family_of(config).tensor_map(config, num_tokens);
}

bool ties_embeddings(const ModelConfig& model, bool by_default) {
  if (model.embeddings == Embeddings::kAuto) return by_default;
  return model.embeddings == Embeddings::kTied;
}

double scaled_residual_std(const ModelConfig& model) {
  return model.init_std / std::sqrt(2.0 * static_cast<double>(model.num_layers));
}

std::optional<ModelProblem> find_untied_problem(const ModelConfig& model) {
  if (model.traits().has_tied_embeddings) return std::nullopt;
  return ModelProblem{
      {"model.embeddings"},
      cat("model.embeddings = untied is not for ", model.kind, ", whose head is tied")};
}

void note_other_dropouts(ConfigJson& from, const ModelConfig& model,
                         const std::vector<std::string>& others, double by_default) {
  for (const std::string& key : others) {
    const double value = from.real(key, by_default);
    if (value == model.dropout) continue;
    log_info(cat(from.place_of(key), " is ", value, "; lmtrain has one dropout, and takes ",
                 model.dropout, " (model.dropout sets another)"));
  }
}

void add_norm(TensorMap& map, const ModelConfig& model, const std::string& ours,
              const std::string& theirs) {
  map.add_whole(ours + ".weight", theirs + ".weight", model.hidden_size);
  if (model.traits().norm == NormKind::kLayer)
    map.add_whole(ours + ".bias", theirs + ".bias", model.hidden_size);
}

void add_linear(TensorMap& map, const std::string& ours, const std::string& theirs, int64_t rows,
                bool is_transposed) {
  map.add_whole(ours + ".weight", theirs + ".weight", rows, is_transposed);
  map.add_whole(ours + ".bias", theirs + ".bias", rows);
}

void add_label_head(TensorMap& map, const ModelConfig& model, const std::string& theirs) {
  const std::string name = model.answers_questions() ? "qa_outputs" : theirs;
  map.add_whole("labels.weight", name + ".weight", model.num_labels());
  if (model.traits().has_label_bias)
    map.add_whole("labels.bias", name + ".bias", model.num_labels());
}

namespace {

bool has_head(const ModelFamily& family, const ModelConfig& model) {
  return std::ranges::any_of(family.classes(model),
                             [&](const HeadClass& one) { return one.head == model.head; });
}

// Returns the problem of a setting that other families have: those for which is_theirs(family).
template <class Test>
ModelProblem foreign_setting(const std::string& key, const ModelConfig& model, Test is_theirs) {
  std::vector<std::string> kinds;
  for (const ModelFamily& family : model_families()) {
    if (is_theirs(family)) kinds.push_back(family.kind);
  }
  return {{"model." + key},
          cat("model.", key, " is for model.kind = ", join(kinds, ", "), "; leave it out in ",
              model.kind)};
}

// Returns the values of section `model` with their keys.
std::vector<ConfigValue> values_of(ModelConfig model) {
  if (model.num_kv_heads == model.num_heads) model.num_kv_heads = 0;  // the same model
  Fields fields;
  model.describe(fields);
  return config_values(fields);
}

// Returns the problem of a key that was set although only other families read it.
std::optional<ModelProblem> find_foreign_key(const ModelConfig& model) {
  const ModelFamily& own = family_of(model);
  for (const ConfigChange& change : config_changes(values_of(ModelConfig{}), values_of(model))) {
    if (is_named(change.key, own.own_keys)) continue;
    const auto is_theirs = [&](const ModelFamily& family) {
      return is_named(change.key, family.own_keys);
    };
    if (std::ranges::any_of(model_families(), is_theirs))
      return foreign_setting(change.key, model, is_theirs);
  }
  return std::nullopt;
}

std::optional<ModelProblem> find_label_problem(const ModelConfig& model) {
  const bool wants_labels = model.has_label_head() && !model.answers_questions();
  if (!wants_labels && !model.labels.empty()) {
    return ModelProblem{
        {"model.labels", "model.head"},
        cat("model.labels has no effect with model.head = ", model.head, "; leave it out")};
  }
  if (wants_labels && model.labels.empty()) {
    return ModelProblem{{"model.labels", "model.head"},
                        cat("model.head = ", model.head,
                            " needs the names of its labels; list them in model.labels")};
  }
  const std::set<std::string> names(model.labels.begin(), model.labels.end());
  if (names.size() == model.labels.size()) return std::nullopt;
  return ModelProblem{{"model.labels"}, "model.labels names one label twice; rename one"};
}

}  // namespace

std::optional<ModelProblem> find_problem(const ModelConfig& model) {
  if (auto problem = find_label_problem(model)) return problem;
  if (model.head_size == 0 && model.hidden_size % model.num_heads != 0) {
    return ModelProblem{{"model.hidden_size", "model.num_heads"},
                        cat("model.hidden_size = ", model.hidden_size,
                            " is not divisible by model.num_heads = ", model.num_heads,
                            "; each head takes an equal part")};
  }
  const ModelFamily& family = family_of(model);
  if (!has_head(family, model)) {
    return foreign_setting("head", model,
                           [&](const ModelFamily& other) { return has_head(other, model); });
  }
  if (auto problem = find_foreign_key(model)) return problem;
  return family.find_problem == nullptr ? std::nullopt : family.find_problem(model);
}

}  // namespace lmtrain
