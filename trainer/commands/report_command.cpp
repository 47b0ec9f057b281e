// report: a run's report, written again from its records.
#include <iostream>

#include "trainer/commands/command.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

struct Options {
  std::string run;
  std::vector<std::string> settings;
};

void write_report(const Options& options) {
  const RunFolder folder{options.run};
  rewrite_report(folder, options.settings);
  std::cout << folder.report().string() << "\n";
}

}  // namespace

Command add_report(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("report", "Write a run's report again from its folder");
  const auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "Folder of the run")->required();
  app->add_option("KEY=VALUE", options->settings,
                  "Another price: energy.region, energy.pue or energy.intensity_g_per_kwh; the "
                  "report shows it beside the one that the run had");
  return {
      .app = app,
      .examples = {"lmtrain report runs/quickstart",
                   "lmtrain report runs/quickstart energy.region=FRA energy.pue=1.2"},
      .synonyms = {{{"run", "run_dir", "dir", "folder"}, {}, "RUN is written without an option"}},
      .run = run_with(options, write_report)};
}

}  // namespace lmtrain
