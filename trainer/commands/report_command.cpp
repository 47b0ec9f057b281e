// report: a run's report, written again from its records.
#include <iostream>

#include "trainer/commands/command.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

void write_report(const std::string& run) {
  const RunFolder folder{run};
  rewrite_report(folder);
  std::cout << folder.report().string() << "\n";
}

}  // namespace

Command add_report(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("report", "Write a run's report again from its folder");
  const auto run = std::make_shared<std::string>();
  app->add_option("RUN", *run, "Folder of the run")->required();
  return {
      .app = app,
      .examples = {"lmtrain report runs/quickstart"},
      .synonyms = {{{"run", "run_dir", "dir", "folder"}, {}, "RUN is written without an option"}},
      .run = run_with(run, write_report)};
}

}  // namespace lmtrain
