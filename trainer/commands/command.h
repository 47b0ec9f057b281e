// A command of the program. Each is one file of this folder: a function add_NAME that declares the
// options and gives back how the command runs. commands.cpp lists them all.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/choice.h"
#include "base/config_suggestion.h"
#include "base/error.h"

namespace lmtrain {

// The words that the program was started with, the program itself first.
using CommandLine = std::vector<std::string>;

struct Command {
  CLI::App* app = nullptr;            // name, description and options; its parent App owns it
  std::vector<std::string> examples;  // command lines for a shell, the simplest first
  std::vector<Synonyms> synonyms;     // what other programs call its options
  // Does the work once the options are parsed. Writes to standard output, throws Error.
  std::function<ExitCode(const CommandLine&)> run;
  std::vector<Command> parts;  // `tokenizer` has train, encode and decode, and no work of its own
};

// Command::run for work in one process, which is done when it returns.
template <class Options>
std::function<ExitCode(const CommandLine&)> run_with(std::shared_ptr<Options> options,
                                                     void (*work)(const Options&)) {
  return [options, work](const CommandLine&) {
    work(*options);
    return ExitCode::kDone;
  };
}

// "lmtrain tokenizer train".
std::string full_name(const CLI::App* app);

// The arguments of every command that reads a config.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> settings;  // "train.steps=5", which win over the file
};
enum class ConfigFile { kRequired, kOptional };
void add_config_arguments(CLI::App* app, ConfigArguments& arguments,
                          ConfigFile file = ConfigFile::kRequired);
bool takes_settings(const CLI::App* app);
// Options by which other trainers take the file.
Synonyms config_words();

// "'x' is none of a, b; did you mean 'a'?"
std::string complain_of_choice(const std::string& word, const std::vector<std::string>& names);

// A check of CLI11: a finite number in this range.
std::function<std::string(const std::string&)> number_range(double least, double most);

// An option that may be given several times, with one text each time, which is taken as it is. (For
// a list CLI11 itself would read "[a,b]" as two texts.)
CLI::Option* add_texts(CLI::App* app, const std::string& name, std::vector<std::string>& texts,
                       const std::string& help);

// An option whose value is one of the names of an enum (base/choice.h).
template <Choice E>
CLI::Option* add_choice(CLI::App* app, const std::string& name, const std::function<void(E)>& set,
                        const std::string& text) {
  return app
      ->add_option_function<std::string>(
          name, [set](const std::string& word) { set(*choice_of<E>(word)); }, text)
      ->check([](const std::string& word) {
        return choice_of<E>(word) ? std::string() : complain_of_choice(word, all_names<E>());
      });
}
template <Choice E>
CLI::Option* add_choice(CLI::App* app, const std::string& name, E& value, const std::string& text) {
  return add_choice<E>(
             app, name, [&value](E chosen) { value = chosen; }, text)
      ->default_str(std::string(name_of(value)));
}

// The argument of every command that reads a checkpoint.
void add_checkpoint_argument(CLI::App* app, std::string& checkpoint);
Synonyms checkpoint_words();

}  // namespace lmtrain
