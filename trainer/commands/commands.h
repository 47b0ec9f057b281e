// All commands of the program, in the order and under the titles that --help shows.
#pragma once

#include <string>
#include <vector>

#include "trainer/commands/command.h"

namespace lmtrain {

struct CommandGroup {
  std::string title;
  std::vector<Command> commands;
};

// Adds every command to `program`, which must outlive what is returned.
std::vector<CommandGroup> add_commands(CLI::App& program);

}  // namespace lmtrain
