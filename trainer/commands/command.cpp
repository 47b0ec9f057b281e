#include "trainer/commands/command.h"

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr const char* kSettings = "SETTING";

}  // namespace

std::string full_name(const CLI::App* app) {
  const CLI::App* const parent = app->get_parent();
  return parent == nullptr ? app->get_name() : full_name(parent) + " " + app->get_name();
}

void add_config_arguments(CLI::App* app, ConfigArguments& arguments, ConfigFile file) {
  app->add_option("CONFIG", arguments.path, "Config file (YAML)")
      ->required(file == ConfigFile::kRequired);
  app->add_option(kSettings, arguments.settings,
                  "key.sub=value, such as train.steps=1000; wins over the file. "
                  "lmtrain config --markdown lists all keys");
}

bool takes_settings(const CLI::App* app) { return app->get_option_no_throw(kSettings) != nullptr; }

Synonyms config_words() {
  return {{"config", "config_file", "config_path", "cfg", "yaml"},
          {},
          "CONFIG is written without an option"};
}

std::string complain_of_choice(const std::string& word, const std::vector<std::string>& names) {
  const std::string nearest = nearest_name(word, names);
  return cat("'", word, "' is none of ", join(names, ", "),
             nearest.empty() ? "" : "; " + suggestion_text({nearest}, ""));
}

std::function<std::string(const std::string&)> number_range(double least, double most) {
  return [least, most](const std::string& word) {
    const std::optional<double> number = parse_number(word);
    if (number && *number >= least && *number <= most) return std::string();
    return cat("'", word, "' is no number from ", shortest(least), " to ", shortest(most));
  };
}

CLI::Option* add_texts(CLI::App* app, const std::string& name, std::vector<std::string>& texts,
                       const std::string& help) {
  return app->add_option(name, texts, help)->allow_extra_args(false);
}

void add_checkpoint_argument(CLI::App* app, std::string& checkpoint) {
  app->add_option("CHECKPOINT", checkpoint,
                  "Folder of a checkpoint, or of a run for its newest one")
      ->required();
}

Synonyms checkpoint_words() {
  return {{"model", "model_path", "model_name_or_path", "checkpoint", "checkpoint_path", "ckpt",
           "load", "init_from", "m"},
          {},
          "CHECKPOINT is written without an option"};
}

}  // namespace lmtrain
