// The text that --help prints: of the program, and of one command. At most 100 columns.
#pragma once

#include <string>
#include <vector>

#include "trainer/commands/command.h"
#include "trainer/commands/commands.h"

namespace lmtrain {

std::string program_help(const CLI::App& program, const std::vector<CommandGroup>& groups);

std::string command_help(const Command& command);

}  // namespace lmtrain
