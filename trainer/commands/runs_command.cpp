// runs: the runs in a folder.
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/yaml_reader.h"
#include "energy/amount_text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_table.h"
#include "trainer/run/run_list.h"

namespace lmtrain {
namespace {

struct Options {
  std::string folder = "runs";
  bool json = false;
};

template <class Value, class Text>
std::string or_dash(const std::optional<Value>& value, Text text) {
  return value ? text(*value) : "-";
}

std::vector<std::string> row_of(const RunSummary& run) {
  const auto loss = [](double value) { return fixed(value, 4); };
  std::string step = or_dash(run.step, [](int64_t value) { return with_commas(value); });
  if (run.steps) step += cat(" of ", with_commas(*run.steps));
  return {run.name,
          std::string(name_of(run.state)),
          step,
          or_dash(run.train_loss, loss),
          or_dash(run.validation_loss, loss),
          or_dash(run.kwh, [](double kwh) { return energy_text(kwh * 3.6e6); }),
          or_dash(run.kg_co2e, [](double kg) { return emissions_text(kg * 1000); }),
          std::to_string(run.attempts),
          run.job.empty() ? "-" : printable(run.job),
          run.started.empty() ? "-" : run.started};
}

void print_table(const std::vector<RunSummary>& runs) {
  std::vector<std::vector<std::string>> rows = {{"run", "state", "step", "loss", "validation",
                                                 "energy", "CO2e", "attempts", "job", "started"}};
  for (const RunSummary& run : runs) rows.push_back(row_of(run));
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
  for (const RunSummary& run : runs) {
    if (!run.reason.empty() && run.state != RunState::kStopped)
      std::cout << run.name << ": " << printable(run.reason) << "\n";
  }
}

template <class Value>
nlohmann::ordered_json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

void print_json(const RunSummary& run) {
  std::cout << json_line({{"run", run.name},
                          {"state", name_of(run.state)},
                          {"reason", run.reason},
                          {"step", or_null(run.step)},
                          {"steps", or_null(run.steps)},
                          {"loss", or_null(run.train_loss)},
                          {"validation_loss", or_null(run.validation_loss)},
                          {"kwh", or_null(run.kwh)},
                          {"kg_co2e", or_null(run.kg_co2e)},
                          {"attempts", run.attempts},
                          {"job", run.job},
                          {"started", run.started}})
            << "\n";
}

void print_runs(const Options& options) {
  const std::vector<RunSummary> runs = list_runs(options.folder);
  if (options.json) {
    for (const RunSummary& run : runs) print_json(run);
  } else if (runs.empty()) {
    std::cout << "no runs in " << options.folder << "\n";
  } else {
    print_table(runs);
  }
}

}  // namespace

Command add_runs(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "runs", "List the runs in a folder: state, step, loss, energy, job of the batch system");
  const auto options = std::make_shared<Options>();
  app->add_option("DIR", options->folder, "Folder of the runs, or of one run")
      ->capture_default_str();
  app->add_flag("--json", options->json, "One line of JSON for each run");
  return {.app = app,
          .examples = {"lmtrain runs", "lmtrain runs /scratch/project/runs --json"},
          .run = run_with(options, print_runs)};
}

}  // namespace lmtrain
