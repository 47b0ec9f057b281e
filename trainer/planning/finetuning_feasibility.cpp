#include "trainer/planning/finetuning_feasibility.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "data/labelled/labelled_reader.h"
#include "models/lora.h"
#include "models/model_sizes.h"
#include "trainer/config/measures.h"
#include "trainer/config/resolve_task.h"
#include "trainer/step/trained_parameters.h"

namespace lmtrain {

std::string find_changed_key(const Config& config, const std::vector<std::string>& idle) {
  const std::vector<ConfigChange> changes = config_changes(values_of(Config{}), values_of(config));
  for (const std::string& key : idle) {
    for (const ConfigChange& change : changes) {
      if (change.key.starts_with(key)) return change.key;
    }
  }
  return "";
}

void check_labelled(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  const auto refuse = [&](const std::string& key, const std::string& instead) {
    throw ConfigError(
        cat(place_of(loaded, {key}), key, " has no effect with task = ", c.task, "; ", instead));
  };
  if (!is_labelled(c)) {
    if (const std::string key = find_changed_key(c, {"data.labelled."}); !key.empty())
      refuse(key, "leave it out, or set task");
    return;
  }
  const bool has_instructions = c.task == TrainingTask::kInstructionTuning;
  if (has_instructions && !c.model.traits().predicts_next_token()) {
    throw ConfigError(cat(place_of(loaded, {"task", "model.kind"}),
                          "task = instruction_tuning needs a model that writes text; model.kind = ",
                          c.model.kind, " does not"));
  }
  std::vector<std::string> of_running_text = {"data.masking.",       "data.pairs",
                                              "data.short_fraction", "data.duplicates",
                                              "data.utf8",           "eval.prompts"};
  if (!has_instructions) {
    of_running_text.insert(of_running_text.end(), {"data.isolate_documents", "train.z_loss"});
    if (!c.eval.tasks.empty()) refuse("eval.tasks", "leave them out: they ask a language model");
  }
  if (const std::string idle = find_changed_key(c, of_running_text); !idle.empty())
    refuse(idle, "leave it out");
  std::vector<std::string> others;
  const auto add = [&](bool is_read, std::vector<std::string> keys) {
    for (const std::string& key : keys)
      if (!is_read) others.push_back("data.labelled." + key);
  };
  const bool is_by_fields = c.data.labelled.layout == LabelledLayout::kFields;
  const bool is_of_texts =
      c.task == TrainingTask::kClassification || c.task == TrainingTask::kRegression;
  const bool is_of_answers = c.task == TrainingTask::kQuestionAnswering;
  add(is_by_fields && is_of_texts, {"text", "pair", "label"});
  add(is_by_fields && c.task == TrainingTask::kTagging, {"tokens", "tags"});
  add(is_by_fields && is_of_answers, {"question", "context", "answers"});
  add(is_by_fields && has_instructions, {"messages", "prompt", "completion"});
  add(has_instructions, {"chat_template", "learn", "pack"});
  add(has_instructions ? !c.data.labelled.pack : true, {"group_by_length"});
  add(is_of_answers, {"stride"});
  add(is_of_texts, {"truncation"});
  for (const std::string& key : others) {
    if (is_changed(loaded, key))
      refuse(key, cat("leave it out",
                      is_by_fields ? "" : ", as data.labelled.layout says what is read"));
  }
  for (size_t i = 0; i < c.data.sources.size(); ++i) {
    const SourceConfig& source = c.data.sources[i];
    const SourceConfig plain;
    const std::string key = cat("data.sources.", i);
    if (source.separator != plain.separator) refuse(key + ".separator", "leave it out");
    if (source.format != plain.format) refuse(key + ".format", "the file's name says it");
    if (source.field != plain.field) refuse(key + ".field", "set the keys of data.labelled");
    if (source.weight != plain.weight) refuse(key + ".weight", "leave it out");
    if (source.special_tokens != plain.special_tokens)
      refuse(key + ".special_tokens", "leave it out");
  }
  const LabelledConfig& labelled = c.data.labelled;
  if (!suits(labelled.layout, c.task)) {
    throw ConfigError(cat(place_of(loaded, {"data.labelled.layout", "task"}),
                          "data.labelled.layout = ", labelled.layout,
                          " does not go with task = ", c.task));
  }
  if (!labelled.held_out.empty() && is_changed(loaded, "data.validation_fraction")) {
    throw ConfigError(cat(place_of(loaded, {"data.validation_fraction"}),
                          "data.validation_fraction has no effect with data.labelled.held_out; "
                          "leave one of them out"));
  }
  const bool has_weights = labelled.balanced || !labelled.class_weights.empty();
  if (has_weights && !has_label_names(c.task))
    refuse(labelled.balanced ? "data.labelled.balanced" : "data.labelled.class_weights",
           "leave it out");
  if (labelled.balanced && !labelled.class_weights.empty()) {
    throw ConfigError(cat(place_of(loaded, {"data.labelled.balanced"}),
                          "data.labelled.balanced does not go with data.labelled.class_weights; "
                          "leave one of them out"));
  }
  if (c.tokenizer.path.empty()) {
    throw ConfigError(cat(place_of(loaded, {"tokenizer.path", "task"}), "task = ", c.task,
                          " needs a tokenizer: name a model in model.init_from, or a tokenizer in "
                          "tokenizer.path; none is trained on labelled texts"));
  }
}

void check_frozen(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  if (c.train.freeze.empty()) return;
  const ModelConfig model = with_some_labels(c);
  constexpr int64_t kSomeTokens = 16;
  const auto declared = declared_parameters(model, std::max(kSomeTokens, model.vocab_size),
                                            /*tensor=*/1, trained_parameters(c));
  std::vector<std::string> names;
  for (const Parameter* parameter : declared->parameters()) names.push_back(parameter->spec().name);
  const std::string place = place_of(loaded, {"train.freeze"});
  const auto without = patterns_without_parameter(c.train.freeze, *declared);
  if (!without.empty()) {
    const std::string near = nearest_name(without.front(), names);
    throw ConfigError(cat(
        place, "train.freeze: no parameter of this model is named \"", one_line(without.front()),
        "\"", near.empty() ? "" : cat(", did you mean ", near, "?"), " (names are like ",
        names.front(), " and ", names[names.size() / 2], "; * stands for any letters)"));
  }
  if (sizes_of(*declared).num_trained > 0) return;
  throw ConfigError(cat(place, "train.freeze leaves nothing to train; take a pattern out"));
}

void check_adapters(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  const LoraConfig& lora = c.model.lora;
  if (!lora.is_on()) {
    for (const char* key :
         {"lora.alpha", "lora.targets", "lora.scaling", "lora.bias", "lora.init_from"}) {
      if (is_changed(loaded, key))
        throw ConfigError(cat(place_of(loaded, {key}), key,
                              " has no effect without adapters; set lora.rank, or leave it out"));
    }
    return;
  }
  if (c.model.init_from.empty()) {
    throw ConfigError(
        cat(place_of(loaded, {"lora.rank"}), "lora.rank = ", lora.rank,
            " asks for adapters on a trained model; name that model in model.init_from"));
  }
  if (lora.rank > c.model.hidden_size) {
    throw ConfigError(cat(place_of(loaded, {"lora.rank"}), "lora.rank = ", lora.rank,
                          " is more than the rank of the weights, whose width is ",
                          c.model.hidden_size, "; a low rank such as 8 is what adapters are for"));
  }
  const std::vector<std::string> without = targets_without_layer(c.model);
  if (lora.targets.empty() || !without.empty()) {
    throw ConfigError(cat(
        place_of(loaded, {"lora.targets"}), "lora.targets: ",
        without.empty() ? "names no layer" : cat("there is no layer ", one_line(without.front())),
        "; this model has ", join(lora_layers(c.model), ", "), ", and all-linear is all of them"));
  }
  const std::vector<std::string> sharing = layers_that_share_a_bias(c.model);
  if (lora.bias == LoraBias::kLoraOnly && !sharing.empty()) {
    throw ConfigError(cat(place_of(loaded, {"lora.bias", "lora.targets"}),
                          "lora.bias = lora_only would train the biases of ", join(sharing, ", "),
                          " too, which lie in one with those of lora.targets; add them to "
                          "lora.targets, or set lora.bias = all"));
  }
}

void check_measure(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  const std::vector<std::string> known = measures_of(c.task);
  if (std::ranges::find(known, c.eval.measure) == known.end()) {
    const std::string near = nearest_name(c.eval.measure, known);
    throw ConfigError(cat(place_of(loaded, {"eval.measure"}), "eval.measure = ",
                          one_line(c.eval.measure), " is not measured with task = ", c.task,
                          near.empty() ? "" : cat(", did you mean ", near, "?"),
                          " (measured: ", join(known, ", "), ")"));
  }
  const bool validates = c.data.validation_fraction > 0 || !c.data.labelled.held_out.empty();
  if (c.eval.patience > 0 && !validates) {
    throw ConfigError(cat(place_of(loaded, {"eval.patience"}),
                          "eval.patience has no effect without texts for validation; set "
                          "data.validation_fraction"));
  }
  if (c.eval.patience > 0 && c.eval.interval == 0) {
    throw ConfigError(cat(place_of(loaded, {"eval.patience"}),
                          "eval.patience has no effect with eval.interval = 0, which validates at "
                          "the end only; set an interval"));
  }
}

}  // namespace lmtrain
