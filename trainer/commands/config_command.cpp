// config: what a config file and the defaults come to, or the reference of all keys.
#include <iostream>
#include <memory>

#include "trainer/commands/command.h"
#include "trainer/config/config_document.h"
#include "trainer/config/load_config.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  bool markdown = false;
};

void print(const Options& options) {
  if (options.markdown) {
    std::cout << config_markdown();
    return;
  }
  std::cout << print_config(load_config(options.config.path, options.config.settings).config);
}

}  // namespace

Command add_config(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("config", "Print the whole resolved config, with a comment per key");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config, ConfigFile::kOptional);
  app->add_flag("--markdown", options->markdown,
                "Print the reference of all keys (docs/config.md) instead");
  return {.app = app,
          .examples = {"lmtrain config configs/quickstart.yaml train.steps=1000",
                       "lmtrain config --markdown"},
          .synonyms = {config_words(), {{"docs", "reference", "md"}, {"--markdown"}, ""}},
          .run = run_with(options, print)};
}

}  // namespace lmtrain
