// card: a run's model card.
#include <iostream>

#include "base/durable_file.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/run/model_card.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

struct Options {
  std::string run;
  std::string people;
  std::string out;
  std::vector<std::string> settings;
};

void write_card(const Options& options) {
  const RunFolder folder{options.run};
  const ReportedRun run = reported_run(folder, options.people, options.settings);
  const std::string card = model_card(folder, run);
  if (options.out.empty()) {
    std::cout << card;
  } else {
    write_file_durably(options.out, card);
  }
  const std::vector<std::string> missing = missing_on_card(run);
  if (!missing.empty()) {
    log_warn(cat("the card also asks for what only people know: ", join(missing, ", "),
                 " (in the config, in --facts FILE, or as KEY=VALUE)"));
  }
}

}  // namespace

Command add_card(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "card", "Write a run's model card: what it is, its text, results, biases, energy and limits");
  const auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "Folder of the run")->required();
  app->add_option(
      "KEY=VALUE", options->settings,
      "Keys of the section report, and another PUE or grid as lmtrain report takes them");
  app->add_option("--facts", options->people,
                  "A YAML file with the section report, instead of that of the run's config");
  app->add_option("--out", options->out,
                  "The file to write, README.md of an exported folder say; standard output without "
                  "it");
  return {
      .app = app,
      .examples = {"lmtrain card runs/quickstart",
                   "lmtrain card runs/quickstart --facts facts.yaml --out exported/README.md"},
      .synonyms = {{{"run", "run_dir", "dir", "folder"}, {}, "RUN is written without an option"},
                   {{"output", "output_file", "o"}, {"--out"}, ""}},
      .run = run_with(options, write_card)};
}

}  // namespace lmtrain
