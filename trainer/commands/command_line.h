// The command line of the program: which command it asks for, and with which options.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "trainer/commands/command.h"
#include "trainer/commands/commands.h"

namespace lmtrain {

// A command line that cannot be understood. The message is two lines: what is wrong, and which
// --help says more. Every rank of a job has the same one, so that one rank should say it.
struct UsageError : ConfigError {
  using ConfigError::ConfigError;
};

// What a command line asks for: a command to run, or a text to print.
struct Request {
  const Command* command = nullptr;  // its options are set
  std::string text;                  // where there is no command
  ExitCode code = ExitCode::kDone;   // of the text
};

// All commands, and the command line that chooses one.
class Program {
 public:
  Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Once per Program. `line` begins with the program's own name. A first word that is no command
  // is the config to train: `lmtrain CONFIG` is `lmtrain train CONFIG`. Throws UsageError.
  Request parse(const CommandLine& line);

  const std::vector<CommandGroup>& groups() const { return groups_; }

 private:
  // The command of that name, null where there is none.
  const Command* find(const std::string& name) const;
  void check_first_word(const std::string& word) const;
  const Command* parsed_command() const;
  std::string help() const;
  // What is wrong with the command line, in one line.
  std::string complaint(const CLI::ParseError& error) const;

  CLI::App app_;
  std::vector<CommandGroup> groups_;
};

}  // namespace lmtrain
