#include "trainer/commands/command_line.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "trainer/commands/help.h"

namespace lmtrain {
namespace {

// The words of a command line as a shell makes them, for the quotes that examples use.
CommandLine words_of(const std::string& text) {
  CommandLine words;
  bool is_quoted = false;
  bool in_word = false;
  for (const char c : text) {
    const bool ends_word = c == ' ' && !is_quoted;
    if (!ends_word && !in_word) words.emplace_back();
    in_word = !ends_word;
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (in_word) {
      words.back() += c;
    }
  }
  return words;
}

// What lmtrain itself is given: without mpirun before it and a redirection behind it.
CommandLine lmtrain_words(const std::string& example) {
  const CommandLine words = words_of(example);
  const auto first = std::find(words.begin(), words.end(), "lmtrain");
  return {first, std::find(first, words.end(), "<")};
}

std::vector<Command> leaves(const std::vector<CommandGroup>& groups) {
  std::vector<Command> all;
  for (const CommandGroup& group : groups) {
    for (const Command& command : group.commands) {
      if (command.parts.empty()) all.push_back(command);
      all.insert(all.end(), command.parts.begin(), command.parts.end());
    }
  }
  return all;
}

std::string name_of_parsed(const std::string& line) {
  Program program;
  const Request request = program.parse(words_of(line));
  return request.command == nullptr ? "" : full_name(request.command->app);
}

std::string error_of(const std::string& line) {
  try {
    Program program;
    program.parse(words_of(line));
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

std::string text_of(const std::string& line) {
  Program program;
  return program.parse(words_of(line)).text;
}

// Defect: a command is added without a word on what it does, or without work.
TEST(Commands, HaveADescriptionAnExampleAndWork) {
  const Program program;
  for (const Command& command : leaves(program.groups())) {
    EXPECT_FALSE(command.app->get_description().empty()) << full_name(command.app);
    EXPECT_FALSE(command.examples.empty()) << full_name(command.app);
    EXPECT_TRUE(command.run) << full_name(command.app);
    for (const CLI::Option* option : command.app->get_options())
      EXPECT_FALSE(option->get_description().empty()) << option->get_name();
  }
}

// Defect: an example that the program would refuse, or that runs another command.
TEST(Commands, AcceptTheirExamples) {
  const Program program;
  for (const Command& command : leaves(program.groups())) {
    for (const std::string& example : command.examples) {
      Program fresh;
      try {
        const Request request = fresh.parse(lmtrain_words(example));
        ASSERT_NE(request.command, nullptr) << example;
        EXPECT_EQ(full_name(request.command->app), full_name(command.app)) << example;
      } catch (const UsageError& error) {
        ADD_FAILURE() << example << ": " << error.what();
      }
    }
  }
}

// Defect: a synonym leads to an option that the command does not have, or is that option itself.
TEST(Commands, HaveTheOptionsThatTheirSynonymsName) {
  const Program program;
  for (const Command& command : leaves(program.groups())) {
    std::set<std::string> words;
    for (const Synonyms& row : command.synonyms) {
      EXPECT_FALSE(row.names.empty() && row.remark.empty()) << full_name(command.app);
      for (const std::string& name : row.names)
        EXPECT_NE(command.app->get_option_no_throw(name), nullptr)
            << full_name(command.app) << name;
      for (const std::string& word : row.words) {
        EXPECT_TRUE(words.insert(word).second) << full_name(command.app) << " " << word;
        EXPECT_EQ(command.app->get_option_no_throw("--" + word), nullptr) << word;
      }
    }
  }
}

// Defect: help that a terminal of 100 columns breaks.
TEST(Help, FitsAHundredColumns) {
  const Program program;
  std::string text = text_of("lmtrain --help");
  for (const Command& command : leaves(program.groups())) text += command_help(command);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

// Defect: one of the usual ways to ask for help is taken for a config or a mistake.
TEST(Help, AnswersAllTheUsualWays) {
  const std::string whole = text_of("lmtrain --help");
  for (const char* title : {"Usage:", "Train:", "Data:", "Use a model:", "Inspect:", "Examples:",
                            "lmtrain predict my", "Exit codes:"})
    EXPECT_NE(whole.find(title), std::string::npos) << title;
  for (const char* line : {"lmtrain -h", "lmtrain help", "lmtrain"})
    EXPECT_EQ(text_of(line), whole) << line;
  const std::string generate = text_of("lmtrain generate --help");
  EXPECT_NE(generate.find("Examples:\n  lmtrain generate runs"), std::string::npos) << generate;
  EXPECT_NE(generate.find("else 0.8)"), std::string::npos) << generate;
  EXPECT_EQ(text_of("lmtrain help generate"), generate);
  EXPECT_NE(text_of("lmtrain help tokenizer train").find("--vocab-size"), std::string::npos);
  EXPECT_NE(text_of("lmtrain help tokenizer").find("encode"), std::string::npos);
  EXPECT_EQ(text_of("lmtrain configs/x.yaml --help"), text_of("lmtrain train --help"));
  EXPECT_EQ(Program().parse({"lmtrain"}).code, ExitCode::kConfig);
  EXPECT_EQ(Program().parse({"lmtrain", "--help"}).code, ExitCode::kDone);
  EXPECT_NE(text_of("lmtrain --version").find("HDF5"), std::string::npos);
}

// Defect: `lmtrain CONFIG` is parsed otherwise than `lmtrain train CONFIG`, or changes a setting.
TEST(CommandLines, OfAConfigAreThoseOfTrain) {
  EXPECT_EQ(name_of_parsed("lmtrain configs/x.yaml train.steps=5"), "lmtrain train");
  EXPECT_EQ(name_of_parsed("lmtrain train configs/x.yaml train.steps=5"), "lmtrain train");
  EXPECT_EQ(name_of_parsed("lmtrain tokenizer encode x"), "lmtrain tokenizer encode");
  const std::vector<std::string> settings = {"data.sources=[{path: a, separator: \"%\"}]",
                                             "optimizer.betas=[0.9, 0.99]", "run.name=config", ""};
  CommandLine line = {"lmtrain", "x.yaml"};
  line.insert(line.end(), settings.begin(), settings.end());
  Program program;
  const Request request = program.parse(line);
  EXPECT_EQ(request.command->app->get_option("SETTING")->as<std::vector<std::string>>(), settings);
  EXPECT_EQ(request.command->app->get_option("CONFIG")->as<std::string>(), "x.yaml");
}

// Defect: a mistyped command is taken for a config that does not exist.
TEST(CommandLines, NameTheNearestCommand) {
  EXPECT_EQ(error_of("lmtrain genrate runs/x --prompt the"),
            "'genrate' is neither a command nor a config file; did you mean 'generate'?\n"
            "lmtrain --help says more");
  EXPECT_EQ(error_of("lmtrain zzzzzzzz"),
            "'zzzzzzzz' is neither a command nor a config file\nlmtrain --help says more");
  EXPECT_NE(error_of("lmtrain help genrate").find("did you mean 'generate'?"), std::string::npos);
  EXPECT_NE(error_of("lmtrain train.steps=5 x.yaml").find("the config comes before it"),
            std::string::npos);
  EXPECT_EQ(
      error_of("lmtrain tokenizer"),
      "lmtrain tokenizer needs one of train, encode, decode\nlmtrain tokenizer --help says more");
}

// Defect: an option of another program is refused without the one that is meant.
TEST(CommandLines, LeadOptionsOfOtherProgramsToTheRightOne) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"lmtrain generate runs/x --n-predict 5",
       "lmtrain generate has no option '--n-predict'; did you mean '--max-new-tokens'?\n"
       "lmtrain generate --help says more"},
      {"lmtrain generate runs/x --max_tokens=5", "did you mean '--max-tokens'?"},
      {"lmtrain generate runs/x --num-samples 5", "did you mean '--num-return-sequences'?"},
      {"lmtrain generate --model runs/x", "CHECKPOINT is written without an option"},
      {"lmtrain generate runs/x --input a", "did you mean '--prompt'?"},
      {"lmtrain --config x.yaml", "lmtrain CONFIG\n"},
      {"lmtrain train --config x.yaml", "CONFIG is written without an option"},
      {"lmtrain x.yaml --lr 1", "settings have no dashes; did you mean 'optimizer.lr=VALUE'?"},
      {"lmtrain x.yaml --batch-size 1",
       "did you mean 'train.global_batch_size=VALUE' or 'train.micro_batch_size=VALUE'?"},
      {"lmtrain verify x.yaml -n 4", "did you mean '--ranks'?"},
      {"lmtrain inspect runs/x runs/y", "lmtrain inspect has no use for 'runs/y'"},
  };
  for (const auto& [line, part] : expected) {
    const std::string error = error_of(line);
    EXPECT_NE(error.find(part), std::string::npos) << line << ": " << error;
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
  }
}

// Defect: an argument that is missing or wrong is not named, or the help that explains it is not.
TEST(CommandLines, SayWhatIsMissing) {
  EXPECT_EQ(error_of("lmtrain generate"),
            "lmtrain generate: CHECKPOINT is required\nlmtrain generate --help says more");
  EXPECT_NE(error_of("lmtrain eval runs/x a.txt").find("--task is required"), std::string::npos);
  EXPECT_NE(error_of("lmtrain generate runs/x --max-tokens 0").find("--max-new-tokens"),
            std::string::npos);
  EXPECT_NE(error_of("lmtrain generate runs/x --top-k a").find("--top-k"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain
