// emissions: what all runs of a project cost together.
#include <iostream>

#include "base/log.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/text_table.h"
#include "trainer/run/project_emissions.h"

namespace lmtrain {
namespace {

enum class Form { kTable, kCsv, kHtml };
constexpr auto choice_names(Form) {
  return std::to_array<std::string_view>({"table", "csv", "html"});
}

struct Options {
  std::vector<std::string> folders;
  Form form = Form::kTable;
  std::string region;
};

void print_table(const ProjectEmissions& project, const std::string& region) {
  std::vector<std::vector<std::string>> rows = {
      {"run", "state", "attempts", "energy", "CO2e", "repeated steps", "embodied CO2e"}};
  for (const RunEmissions& one : project.runs) {
    const EmissionsReport& report = one.run.report;
    rows.push_back({one.folder.string(), std::string(name_of(one.state)),
                    std::to_string(report.attempts.size()), energy_text(report.energy.joules),
                    emissions_text(one.run.account.location.grams),
                    energy_text(report.wasted_joules()),
                    emissions_text(one.run.account.embodied_grams())});
  }
  rows.push_back({"all", "", "", energy_text(project.energy.joules),
                  emissions_text(project.emissions.grams), energy_text(project.wasted_joules),
                  emissions_text(project.embodied_grams)});
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
  std::cout << "\nfacility " << energy_range_text(project.facility) << ", emissions "
            << emissions_range_text(project.emissions) << " CO2e, location-based and gross; "
            << energy_text(project.unfinished_joules) << " in runs that have not finished\n";
  if (!region.empty()) std::cout << "all attempts count at the grid of " << region << "\n";
}

void show_emissions(const Options& options) {
  std::vector<std::filesystem::path> folders(options.folders.begin(), options.folders.end());
  if (folders.empty()) folders = {"runs"};
  std::vector<std::string> settings;
  if (!options.region.empty()) settings.push_back("energy.region=" + options.region);
  const ProjectEmissions project = project_emissions(folders, settings);
  switch (options.form) {
    case Form::kTable:
      print_table(project, options.region);
      break;
    case Form::kCsv:
      std::cout << to_csv(project);
      break;
    case Form::kHtml:
      std::cout << to_html(project);
      break;
  }
  std::cout.flush();
  for (const std::string& copy : project.copies) log_warn(copy);
  for (const std::string& damaged : project.damaged) log_warn(cat("not in these sums: ", damaged));
  if (!project.damaged.empty())
    throw DataError(cat(project.damaged.size(),
                        " of what lies there could not be read, so the sums are too small"));
}

}  // namespace

Command add_emissions(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "emissions", "Energy and emissions of all runs of a project, failed and repeated ones too");
  const auto options = std::make_shared<Options>();
  app->add_option("DIR", options->folders,
                  "Folders that hold runs, at any depth; runs where none is given");
  add_choice(app, "--format", options->form,
             "table, csv (a row for each attempt) or html (a page)");
  app->add_option("--region", options->region,
                  "Price all attempts by the grid of this region instead of their own");
  return {.app = app,
          .examples = {"lmtrain emissions", "lmtrain emissions runs --format csv > emissions.csv",
                       "lmtrain emissions runs --format html > emissions.html"},
          .synonyms = {{{"dir", "folder", "runs"}, {}, "DIR is written without an option"}},
          .run = run_with(options, show_emissions)};
}

}  // namespace lmtrain
