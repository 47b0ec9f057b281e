// report: a run's report, written again from its records, or in a form that others ask for.
#include <iostream>

#include "base/durable_file.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/text_arguments.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

struct Options {
  std::string run;
  std::optional<ReportFormat> format;
  std::string people;
  std::string weights;
  std::string sacct;
  std::vector<std::string> settings;
};

// Hashing reads all of the weights.
bool has_hash(ReportFormat format) {
  return format == ReportFormat::kGpai || format == ReportFormat::kCyclonedx ||
         format == ReportFormat::kSpdx || format == ReportFormat::kJson;
}

void write_report(const Options& options) {
  const RunFolder folder{options.run};
  if (!options.sacct.empty()) {
    add_batch_energy(folder,
                     options.sacct == "-" ? read_standard_input() : read_file(options.sacct));
  }
  if (!options.format) {
    if (!options.people.empty() || !options.weights.empty())
      throw ConfigError("--facts and --weights go with a --format; name one");
    rewrite_report(folder, options.settings);
    std::cout << folder.report().string() << "\n";
    return;
  }
  ReportedRun run = reported_run(folder, options.people, options.settings);
  if (has_hash(*options.format)) add_weights(folder, options.weights, run);
  std::cout << to_format(*options.format, run);
  const std::vector<std::string> missing = missing_settings(*options.format, run);
  if (!missing.empty()) {
    log_warn(cat("the form also asks for what only people know: ", join(missing, ", "),
                 " (in the config, in --facts FILE, or as KEY=VALUE)"));
  }
}

}  // namespace

Command add_report(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "report", "Write a run's report again from its folder, or print it in a form to hand in");
  const auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "Folder of the run")->required();
  app->add_option(
      "KEY=VALUE", options->settings,
      "Another PUE or grid: energy.pue, energy.region, energy.intensity_g_per_kwh or "
      "energy.intensity_file; the report shows its result beside that of the run's own. "
      "Also keys of the section report");
  add_choice<ReportFormat>(
      app, "--format", [options](ReportFormat format) { options->format = format; },
      cat("Print to standard output instead: ", join(all_names<ReportFormat>(), ", ")));
  app->add_option("--facts", options->people,
                  "With --format: a YAML file with the section report, instead of that of the "
                  "run's config");
  app->add_option("--weights", options->weights,
                  "With --format: the folder of the exported model, whose .safetensors are hashed "
                  "instead of the newest checkpoint");
  app->add_option(
      "--slurm", options->sacct,
      "Keep what Slurm has measured of the run's jobs, and show it beside lmtrain's figure: "
      "a file, or - for standard input, of `sacct --duplicates --noheader --parsable2 "
      "--format=JobID,ConsumedEnergyRaw`");
  return {
      .app = app,
      .examples =
          {"lmtrain report runs/quickstart",
           "lmtrain report runs/quickstart energy.region=FRA energy.pue=1.2",
           "sacct -DnPj 1234 -o JobID,ConsumedEnergyRaw | lmtrain report runs/quickstart --slurm -",
           "lmtrain report runs/quickstart --format gpai --facts facts.yaml > gpai.md"},
      .synonyms = {{{"run", "run_dir", "dir", "folder"}, {}, "RUN is written without an option"}},
      .run = run_with(options, write_report)};
}

}  // namespace lmtrain
