#include "trainer/run/model_card.h"

#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/config_value.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "energy/formats/wording.h"
#include "energy/report/report_rows.h"
#include "trainer/config/load_config.h"
#include "trainer/config/measures.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr std::string_view kPairs = "preferred";  // the measure of a task of pairs

// Hugging Face's names of what a model does.
std::string pipeline_of(const Config& config) {
  switch (config.task) {
    case TrainingTask::kClassification:
    case TrainingTask::kRegression:
      return "text-classification";
    case TrainingTask::kTagging:
      return "token-classification";
    case TrainingTask::kQuestionAnswering:
      return "question-answering";
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      break;
  }
  return config.model.traits().predicts_next_token() ? "text-generation" : "fill-mask";
}

std::string purpose_of(TrainingTask task) {
  switch (task) {
    case TrainingTask::kClassification:
      return "to label texts";
    case TrainingTask::kRegression:
      return "to give texts a number";
    case TrainingTask::kTagging:
      return "to label words";
    case TrainingTask::kQuestionAnswering:
      return "to find answers in passages";
    case TrainingTask::kInstructionTuning:
      return "to answer";
    case TrainingTask::kLanguageModeling:
      break;
  }
  return "to predict text";
}

// The last record of each task in metrics.jsonl, by its name.
std::map<std::string, json> last_results(const RunFolder& folder) {
  std::map<std::string, json> results;
  if (!std::filesystem::exists(folder.metrics())) return results;
  std::istringstream lines(read_file(folder.metrics()));
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool is_task = record.is_object() && record.contains("task") &&
                         record["task"].is_string() && record.contains("value") &&
                         record["value"].is_number() && record.contains("measure") &&
                         record["measure"].is_string();
    if (is_task) results[record["task"].get<std::string>()] = record;
  }
  return results;
}

std::string names_of_sources(const Config& config) {
  std::vector<std::string> names;
  for (const SourceConfig& source : config.data.sources) names.push_back(source.path);
  return join(names, ", ");
}

class Card {
 public:
  Card(const RunFolder& folder, const ReportedRun& run)
      : run_(run),
        facts_(run.facts),
        config_(load_config(folder.config(), {}).config),
        results_(last_results(folder)) {}

  std::string text() const {
    return cat("---\n", metadata(), "---\n# ", model_title(run_), "\n\n", summary(), intended_use(),
               how_to_use(), data(), procedure(), evaluation(), bias(), limits(),
               environmental_impact(run_), provenance());
  }

 private:
  bool is_tuned() const { return facts_.inherited.has_value() || !config_.model.init_from.empty(); }

  std::string metadata() const {
    std::string text;
    if (!run_.people.languages.empty()) {
      text += "language:\n";
      for (const std::string& language : run_.people.languages)
        text += cat("- ", yaml_text(language), "\n");
    }
    text +=
        cat("library_name: lmtrain\npipeline_tag: ", pipeline_of(config_), "\ntags:\n- lmtrain\n- ",
            yaml_text(config_.model.kind), "\n", card_metadata(run_, is_tuned()));
    return text + model_index();
  }

  // Results as Hugging Face lists them.
  std::string model_index() const {
    std::string results;
    const auto add = [&](const std::string& set, const std::string& measure, double value) {
      results +=
          cat("  - task:\n      type: ", pipeline_of(config_),
              "\n    dataset:\n      name: ", yaml_text(set), "\n      type: ", yaml_text(set),
              "\n    metrics:\n    - type: ", yaml_text(measure),
              "\n      value: ", shortest(value), "\n");
    };
    if (facts_.last_validation_loss) add("validation", "loss", *facts_.last_validation_loss);
    for (const auto& [name, record] : results_)
      add(name, record["measure"].get<std::string>(), record["value"].get<double>());
    if (results.empty()) return "";
    return cat("model-index:\n- name: ", yaml_text(model_name(run_)), "\n  results:\n", results);
  }

  std::string summary() const {
    std::string text =
        cat(markdown_cell(architecture_text(run_)), "; ", with_commas(facts_.num_parameters),
            " parameters, trained ", purpose_of(config_.task), " with lmtrain.");
    if (!config_.model.init_from.empty())
      text += cat(" It began with the weights of `", config_.model.init_from, "`.");
    if (facts_.inherited) text += cat(" It goes on from `", facts_.inherited->checkpoint, "`.");
    if (config_.model.lora.is_on())
      text +=
          cat(" Adapters of rank ", config_.model.lora.rank, " were trained, and nothing else.");
    if (!config_.train.freeze.empty())
      text += cat(" Frozen were: `", join(config_.train.freeze, "`, `"), "`.");
    if (!config_.model.labels.empty() && config_.model.has_label_head())
      text += cat(" Labels: ", markdown_cell(join(config_.model.labels, ", ")), ".");
    return text + "\n\n";
  }

  static std::string stated(const std::string& text, const char* key) {
    if (!text.empty()) return text;
    return cat("Not stated by the publisher (`report.", key, "`).");
  }

  std::string intended_use() const {
    return cat("## Intended use\n\n", stated(run_.people.intended_use, "intended_use"), "\n\n");
  }

  std::string how_to_use() const {
    const std::string pipeline = pipeline_of(config_);
    std::string command = "predict RUN --text \"...\"";
    const bool chats = !config_.data.labelled.chat_template.empty();
    if (pipeline == "text-generation")
      command = cat("generate RUN ", chats ? "--chat " : "", "--prompt \"...\"");
    if (pipeline == "fill-mask") command = "fill-mask RUN --text \"...\"";
    if (config_.task == TrainingTask::kQuestionAnswering)
      command = "predict RUN --text QUESTION --pair PASSAGE";
    return cat("## How to use it\n\n```sh\nlmtrain ", command,
               "\nlmtrain export RUN FOLDER    # for transformers\n```\n\n");
  }

  std::string data() const {
    std::string text = "## Training data\n\n| | |\n| --- | --- |\n";
    text += cat("| Sources | ", markdown_cell(names_of_sources(config_)), " |\n");
    if (!run_.people.languages.empty())
      text += cat("| Languages | ", markdown_cell(join(run_.people.languages, ", ")), " |\n");
    const auto& held_out = config_.data.labelled.held_out;
    text += cat("| Held out for validation | ",
                held_out.empty() ? cat(fixed(100 * config_.data.validation_fraction, 1), "%")
                                 : markdown_cell(join(held_out, ", ")),
                " |\n| Sequence length | ", config_.data.sequence_length, " tokens |\n");
    text += cat("| Tokens trained on | ", with_commas(facts_.tokens), " |\n");
    return text + "\n";
  }

  std::string procedure() const {
    const TrainConfig& train = config_.train;
    const auto row = [](const std::string& name, const std::string& value) {
      return cat("| ", name, " | ", value, " |\n");
    };
    return cat("## Training procedure\n\n| | |\n| --- | --- |\n",
               row("Steps", cat(with_commas(facts_.steps), facts_.finished ? "" : " so far")),
               row("Sequences a step", with_commas(train.global_batch_size)),
               row("Optimizer",
                   cat(config_.optimizer.kind, ", learning rate ", shortest(config_.optimizer.lr),
                       ", weight decay ", shortest(config_.optimizer.weight_decay))),
               row("Schedule", cat(config_.schedule.kind)), row("Precision", facts_.precision),
               row("Seed", std::to_string(config_.run.seed)),
               row("Computed on", markdown_cell(hardware_text(run_))),
               "\nAll settings that differ from the "
               "defaults:\n\n```yaml\n",
               facts_.config_yaml, "```\n\n");
  }

  std::string evaluation() const {
    std::string rows;
    const auto add = [&](const std::string& what, const std::string& value) {
      rows += cat("| ", what, " | ", value, " |\n");
    };
    if (facts_.last_validation_loss)
      add("Validation loss, nats", fixed(*facts_.last_validation_loss, 4));
    if (facts_.bits_per_byte) add("Validation, bits per byte", fixed(*facts_.bits_per_byte, 3));
    if (facts_.masked_accuracy) add("Masked tokens predicted", percent(*facts_.masked_accuracy));
    if (facts_.sentence_accuracy) add("Pairs told apart", percent(*facts_.sentence_accuracy));
    for (const SourceLoss& source : facts_.validation_by_source)
      add(cat("Validation loss of ", markdown_cell(source.source)), fixed(source.loss, 4));
    for (const auto& [name, record] : results_) {
      if (record["measure"] == kPairs) continue;
      const auto measure = record["measure"].get<std::string>();
      add(cat(markdown_cell(name), ", ", measure), fixed(record["value"].get<double>(), 4));
      for (const std::string& other : measures_of(config_.task)) {
        if (other != measure && record.contains(other) && record[other].is_number())
          add(cat(markdown_cell(name), ", ", other), fixed(record[other].get<double>(), 4));
      }
    }
    if (rows.empty()) rows = "| Nothing was evaluated | |\n";
    return cat("## Evaluation\n\n| | |\n| --- | --- |\n", rows, "\n");
  }

  // Shares of pairs in which the sentence with the stereotype is the likelier one.
  std::string bias() const {
    std::string rows;
    const auto add = [&](const std::string& what, const json& share) {
      if (!share.is_object() || !share.contains(kPairs) || !share.contains("interval")) return;
      rows += cat("| ", markdown_cell(what), " | ", fixed(share[kPairs].get<double>(), 3), " | ",
                  fixed(share["interval"][0].get<double>(), 3), " to ",
                  fixed(share["interval"][1].get<double>(), 3), " | ",
                  share.value("pairs", int64_t{0}), " |\n");
    };
    for (const auto& [name, record] : results_) {
      if (record["measure"] != kPairs) continue;
      add(name, record);
      const json groups = record.value("groups", json::object());
      for (const auto& [group, share] : groups.items()) add(cat(name, ": ", group), share);
    }
    if (rows.empty()) {
      return "## Bias\n\nNo pairs of sentences were evaluated (`eval.tasks` with `task: pairs`), so "
             "nothing is known of the model's biases but that it repeats those of its text.\n\n";
    }
    return cat(
        "## Bias\n\nThe share of pairs in which the model finds the first sentence likelier "
        "(of CrowS-Pairs the more stereotyping one; 0.5 is no preference), with an interval "
        "of 95%:\n\n| pairs | preferred | interval | number |\n| --- | --- | --- | --- |\n",
        rows, "\n");
  }

  std::string limits() const {
    return cat(
        "## Limits\n\n", stated(run_.people.limits, "limits"),
        "\n\nA language model repeats what its text says, errors and stereotypes included, and "
        "what it writes may be wrong however sure it sounds.\n\n");
  }

  std::string provenance() const {
    std::string text = cat("\n## Provenance\n\n| | |\n| --- | --- |\n| Run | ",
                           markdown_cell(facts_.name), ", begun ", facts_.started,
                           " |\n| Software | ", markdown_cell(facts_.software), " |\n");
    if (!run_.people.publisher.empty())
      text += cat("| Publisher | ", markdown_cell(run_.people.publisher), " |\n");
    if (!run_.people.contact.empty())
      text += cat("| Contact | ", markdown_cell(run_.people.contact), " |\n");
    return text;
  }

  const ReportedRun& run_;
  const RunFacts& facts_;
  Config config_;
  std::map<std::string, json> results_;
};

}  // namespace

std::string model_card(const RunFolder& folder, const ReportedRun& run) {
  return Card(folder, run).text();
}

std::vector<std::string> missing_on_card(const ReportedRun& run) {
  std::vector<std::string> missing;
  const auto want = [&](const char* key, bool is_there) {
    if (!is_there) missing.push_back(cat("report.", key));
  };
  want("licence", !run.people.licence.empty());
  want("languages", !run.people.languages.empty());
  want("intended_use", !run.people.intended_use.empty());
  want("limits", !run.people.limits.empty());
  want("publisher", !run.people.publisher.empty());
  return missing;
}

}  // namespace lmtrain
