// prepare: the tokenizer and token files of a config, without training.
#include <iostream>
#include <memory>

#include "base/text.h"
#include "parallel/cores.h"
#include "trainer/commands/command.h"
#include "trainer/config/load_config.h"
#include "trainer/start/run_data.h"

namespace lmtrain {
namespace {

void print_tokens(const std::string& title, const TokenFile& file) {
  std::cout << title << file.path().string() << " (" << with_commas(file.num_tokens())
            << " tokens)\n";
}

void prepare(const ConfigArguments& arguments) {
  const LoadedConfig loaded = load_config(arguments.path, arguments.settings);
  const PreparedData data = prepare_and_show(loaded.config, static_cast<int>(job_cores().size()));
  std::cout << "tokenizer   " << data.tokenizer_path.string() << " (" << data.tokenizer.vocab_size()
            << " entries)\n";
  print_tokens("training    ", data.train);
  if (data.validation) print_tokens("validation  ", *data.validation);
}

}  // namespace

Command add_prepare(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "prepare", "Train the tokenizer and tokenise the text that a config names");
  const auto arguments = std::make_shared<ConfigArguments>();
  add_config_arguments(app, *arguments);
  return {.app = app,
          .examples = {"lmtrain prepare configs/quickstart.yaml"},
          .synonyms = {config_words()},
          .run = run_with(arguments, prepare)};
}

}  // namespace lmtrain
