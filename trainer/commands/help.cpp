#include "trainer/commands/help.h"

#include <sstream>

#include "base/text.h"

namespace lmtrain {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kTextColumn = 28;  // where descriptions begin

constexpr const char* kUsage = R"(Usage:
  lmtrain CONFIG [key.sub=value ...]               train in one process
  mpirun -n 8 lmtrain CONFIG [key.sub=value ...]   train as eight ranks
  lmtrain COMMAND [argument ...]                   one of the commands below
  lmtrain help COMMAND                             its options and examples
)";

constexpr const char* kFooter = R"(
Exit codes:
  0   done                               74  a file cannot be written or read
  64  config or command line is wrong    75  stopped on request (signal, Ctrl-C)
  65  data is wrong or missing           76  a rank stopped making progress
  66  no usable checkpoint               130 ended by a second Ctrl-C
  70  numbers are wrong, such as NaN     1   any other error
  73  another job holds the folder
)";

// "  name    text", the text wrapped within its column; a long name has a line of its own.
std::string row(const std::string& name, const std::string& text) {
  std::string lines;
  std::string line = "  " + name;
  if (line.size() + 2 > kTextColumn) {
    lines = line + "\n";
    line.clear();
  }
  line.resize(kTextColumn, ' ');
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool is_first = line.size() == kTextColumn;
    if (!is_first && line.size() + 1 + word.size() > kColumns) {
      lines += line + "\n";
      line = std::string(kTextColumn, ' ');
    }
    line += (line.size() == kTextColumn ? "" : " ") + word;
  }
  return lines + line + "\n";
}

std::string option_name(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true, false);
  const std::string names = option.get_name(false, true);  // "-h,--help"
  const bool is_flag = option.get_expected_max() == 0;
  return is_flag ? names : names + " VALUE";
}

std::string option_text(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) text += cat(" (default ", option.get_default_str(), ")");
  if (option.nonpositional() && option.get_required()) text += " (required)";
  return text;
}

// The options for which `is_shown`, under a title; "" where there are none.
template <class Predicate>
std::string options_section(const std::string& title, const CLI::App& app, Predicate is_shown) {
  std::string rows;
  for (const CLI::Option* option : app.get_options(is_shown)) {
    rows += row(option_name(*option), option_text(*option));
  }
  return rows.empty() ? "" : cat("\n", title, ":\n", rows);
}

std::string options_text(const CLI::App& app) {
  return options_section("Arguments", app,
                         [](const CLI::Option* o) { return o->get_positional(); }) +
         options_section("Options", app, [](const CLI::Option* o) { return o->nonpositional(); });
}

// "lmtrain generate CHECKPOINT [OPTION ...]"
std::string usage(const Command& command) {
  std::string text = full_name(command.app);
  if (!command.parts.empty()) return text + " COMMAND [argument ...]";
  for (const CLI::Option* option :
       command.app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    const bool is_list = option->get_expected_max() > 1;
    const std::string name = option->get_name(true, false) + (is_list ? " ..." : "");
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  return text + " [OPTION ...]";
}

std::string commands_section(const std::string& title, const std::vector<Command>& commands) {
  std::string text = cat("\n", title, ":\n");
  for (const Command& command : commands)
    text += row(command.app->get_name(), command.app->get_description());
  return text;
}

// The simplest example of each command.
std::string examples_section(const std::vector<CommandGroup>& groups) {
  std::string text = "\nExamples:\n";
  for (const CommandGroup& group : groups) {
    for (const Command& command : group.commands) text += "  " + command.examples[0] + "\n";
  }
  return text;
}

}  // namespace

std::string program_help(const CLI::App& program, const std::vector<CommandGroup>& groups) {
  std::string text = cat(program.get_description(), "\n\n", kUsage);
  for (const CommandGroup& group : groups) text += commands_section(group.title, group.commands);
  return text + options_text(program) + examples_section(groups) + kFooter;
}

std::string command_help(const Command& command) {
  std::string text = cat(command.app->get_description(), ".\n\nUsage:\n  ", usage(command), "\n");
  if (!command.parts.empty()) text += commands_section("Commands", command.parts);
  text += options_text(*command.app) + "\nExamples:\n";
  for (const std::string& example : command.examples) text += "  " + example + "\n";
  return text;
}

}  // namespace lmtrain
