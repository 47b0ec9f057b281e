#include "trainer/commands/command_line.h"

#include <algorithm>
#include <filesystem>

#include "base/nearest_file.h"
#include "base/text.h"
#include "trainer/commands/help.h"
#include "trainer/commands/version.h"
#include "trainer/config/synonyms.h"

namespace lmtrain {
namespace {

UsageError usage_error(const std::string& message, const std::string& command) {
  return UsageError(cat(message, "\n", command, " --help says more"));
}

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// Options of the program itself that a first user may try.
const std::vector<Synonyms>& program_synonyms() {
  static const std::vector<Synonyms> rows = {
      {{"config", "config_file", "cfg"},
       {},
       "the config is written without an option: lmtrain CONFIG"},
      {{"model", "checkpoint", "prompt"},
       {},
       "a command comes first, as in lmtrain generate CHECKPOINT"},
      {{"v", "V"}, {"--version"}, ""},
  };
  return rows;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What an option that `app` does not have was probably meant to be; "" where nothing is near.
std::string suggest_option(const CLI::App& app, const std::vector<Synonyms>& synonyms,
                           const std::string& name) {
  if (const Synonyms* const row = find_synonyms(synonyms, name))
    return suggestion_text(row->names, row->remark);
  const std::string nearest = nearest_name(name, option_names(app));
  if (!nearest.empty()) return suggestion_text({nearest}, "");
  if (!takes_settings(&app)) return "";
  Synonyms setting = settings_called(name);
  for (std::string& key : setting.names) key += "=VALUE";
  const std::string text = suggestion_text(setting.names, setting.remark);
  return setting.names.empty() ? text : "settings have no dashes; " + text;
}

// About the first word that `app` could not take, "" where there is none.
std::string complain_of_rest(const CLI::App& app, const std::vector<Synonyms>& synonyms) {
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return "";
  const auto option = std::find_if(rest.begin(), rest.end(), is_option);
  if (option == rest.end()) return cat(full_name(&app), " has no use for '", rest.front(), "'");
  const std::string name = option->substr(0, option->find('='));
  const std::string suggestion = suggest_option(app, synonyms, name);
  return cat(full_name(&app), " has no option '", name, "'",
             suggestion.empty() ? "" : "; " + suggestion);
}

}  // namespace

Program::Program() : app_("lmtrain trains language models on any number of ranks", "lmtrain") {
  app_.get_help_ptr()->description("Print this help");  // commands inherit the option
  app_.set_version_flag("--version", version_text, "Print the versions of lmtrain and libraries");
  app_.require_subcommand(1);
  groups_ = add_commands(app_);
}

Request Program::parse(const CommandLine& line) {
  CommandLine words(line.begin() + std::min<size_t>(1, line.size()), line.end());
  if (words.empty()) return {.text = help(), .code = ExitCode::kConfig};
  if (words[0] == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (words[0].empty() || (words[0][0] != '-' && find(words[0]) == nullptr)) {
    check_first_word(words[0]);
    words.insert(words.begin(), "train");
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app_.parse(words);
    return {.command = parsed_command()};
  } catch (const CLI::CallForHelp&) {
    const Command* const command = parsed_command();
    return {.text = command == nullptr ? help() : command_help(*command)};
  } catch (const CLI::CallForVersion&) {
    return {.text = version_text()};
  } catch (const CLI::ParseError& error) {
    const Command* const command = parsed_command();
    throw usage_error(complaint(error), full_name(command == nullptr ? &app_ : command->app));
  }
}

const Command* Program::find(const std::string& name) const {
  for (const CommandGroup& group : groups_) {
    for (const Command& command : group.commands) {
      if (command.app->get_name() == name) return &command;
    }
  }
  return nullptr;
}

// Refuses what is neither a command nor the name of a config. A path that does not exist passes:
// reading it says so, once for all ranks.
void Program::check_first_word(const std::string& word) const {
  std::error_code unreadable;
  if (std::filesystem::exists(word, unreadable)) return;
  if (word.find('=') != std::string::npos) {
    throw usage_error(
        cat("'", word, "' is a setting; the config comes before it: lmtrain CONFIG ", word),
        "lmtrain");
  }
  if (word.find_first_of("/.") != std::string::npos) return;
  std::vector<std::string> names = {"help"};
  for (const CommandGroup& group : groups_) {
    for (const Command& command : group.commands) names.push_back(command.app->get_name());
  }
  std::string nearest = nearest_name(word, names);
  if (nearest.empty()) nearest = nearest_file(word);
  throw usage_error(cat("'", word, "' is neither a command nor a config file",
                        nearest.empty() ? "" : "; " + suggestion_text({nearest}, "")),
                    "lmtrain");
}

// The command that was named, within it its part; null where none was.
const Command* Program::parsed_command() const {
  const Command* found = nullptr;
  for (const CommandGroup& group : groups_) {
    for (const Command& command : group.commands) {
      if (command.app->parsed()) found = &command;
    }
  }
  if (found == nullptr) return nullptr;
  for (const Command& part : found->parts) {
    if (part.app->parsed()) return &part;
  }
  return found;
}

std::string Program::help() const { return program_help(app_, groups_); }

std::string Program::complaint(const CLI::ParseError& error) const {
  const std::string of_program = complain_of_rest(app_, program_synonyms());
  if (!of_program.empty()) return of_program;
  const Command* const command = parsed_command();
  if (command == nullptr) return cat("lmtrain: ", error.what());
  const std::string of_command = complain_of_rest(*command->app, command->synonyms);
  if (!of_command.empty()) return of_command;
  if (command->parts.empty()) return cat(full_name(command->app), ": ", error.what());
  std::vector<std::string> names;
  for (const Command& part : command->parts) names.push_back(part.app->get_name());
  return cat(full_name(command->app), " needs one of ", join(names, ", "));
}

}  // namespace lmtrain
