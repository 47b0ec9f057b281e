#include "trainer/run/project_emissions.h"

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/markup.h"
#include "base/svg_chart.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/html_page.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBars = 30;

// `lmtrain prepare` leaves a ledger in a folder of the cache.
bool is_of_preparation(const fs::path& folder) {
  std::error_code error;
  return fs::exists(ledger_path(folder, 0), error);
}

// Follows links, and looks into no folder twice. What cannot be looked into is noted.
class RunSearch {
 public:
  explicit RunSearch(std::vector<std::string>& damaged) : damaged_(damaged) {}

  void look_into(const fs::path& folder) {
    std::error_code error;
    const fs::path place = fs::canonical(folder, error);
    if (error) {
      note(folder, error);
      return;
    }
    if (!seen_.insert(place).second) return;
    if (is_run({folder}) || is_of_preparation(folder)) {
      found_.push_back(folder);
      return;
    }
    std::vector<fs::path> below;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (at->is_directory(ignored)) below.push_back(at->path());
    }
    if (error) note(folder, error);
    std::ranges::sort(below);
    for (const fs::path& one : below) look_into(one);
  }

  const std::vector<fs::path>& found() const { return found_; }

 private:
  void note(const fs::path& folder, const std::error_code& error) {
    damaged_.push_back(cat(folder.string(), ": it cannot be looked into: ", error.message()));
  }

  std::vector<std::string>& damaged_;
  std::set<fs::path> seen_;
  std::vector<fs::path> found_;
};

RunEmissions emissions_of(const fs::path& folder, const std::vector<std::string>& settings) {
  const bool is_whole_run = is_run({folder});
  RunEmissions one{
      folder, RunState::kInterrupted,
      is_whole_run ? reported_run({folder}, "", settings) : reported_ledgers(folder, settings)};
  const std::vector<AttemptEnergy>& attempts = one.run.report.attempts;
  if (attempts.empty()) throw DataError("its energy ledgers cannot be read, or hold no attempt");
  if (is_whole_run) {
    one.state = summary_of({folder}).state;
  } else if (attempts.back().stopped) {
    one.state = RunState::kFinished;
  }
  return one;
}

std::string name_of_run(const RunEmissions& one) { return one.folder.string(); }

double start_of(const RunEmissions& one) {
  const auto& attempts = one.run.report.attempts;
  return attempts.empty() ? 0 : attempts.front().wall_seconds;
}

// What tells attempts apart: where and when each began.
std::set<std::string> attempts_of(const RunEmissions& one) {
  std::set<std::string> attempts;
  for (const EnergyTotals& totals : one.run.report.totals) {
    if (totals.start.place.rank == 0)
      attempts.insert(cat(totals.start.place.host, " ", fixed(totals.start.wall_seconds, 3)));
  }
  return attempts;
}

// Leaves out runs all of whose attempts are in another one's ledgers, too.
void leave_out_copies(ProjectEmissions& project) {
  std::vector<std::set<std::string>> attempts;
  for (const RunEmissions& one : project.runs) attempts.push_back(attempts_of(one));
  std::vector<RunEmissions> kept;
  for (size_t i = 0; i < project.runs.size(); ++i) {
    bool is_copy = false;
    for (size_t k = 0; k < project.runs.size() && !is_copy; ++k) {
      const bool is_in_other = k != i && std::ranges::includes(attempts[k], attempts[i]);
      // Of equals the first counts.
      is_copy = is_in_other && (attempts[k].size() > attempts[i].size() || k < i);
      if (is_copy)
        project.copies.push_back(cat(name_of_run(project.runs[i]), " is a copy of ",
                                     name_of_run(project.runs[k]), ", and counts once"));
    }
    if (!is_copy) kept.push_back(project.runs[i]);
  }
  project.runs = std::move(kept);
}

void add(const RunEmissions& one, ProjectEmissions& project) {
  const EmissionsReport& report = one.run.report;
  project.energy.add(report.energy);
  project.facility.add(report.cost.facility);
  project.emissions.grams += one.run.account.location.grams;
  project.emissions.low += one.run.account.location.low;
  project.emissions.high += one.run.account.location.high;
  project.embodied_grams += one.run.account.embodied_grams();
  project.wasted_joules += report.wasted_joules();
  if (one.state != RunState::kFinished) project.unfinished_joules += report.energy.joules;
}

}  // namespace

ProjectEmissions project_emissions(const std::vector<fs::path>& folders,
                                   const std::vector<std::string>& settings) {
  check_repricing(settings);
  ProjectEmissions project;
  RunSearch search(project.damaged);
  for (const fs::path& folder : folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
      throw IoError(cat("cannot look into ", folder.string(), ": it is no folder"));
    search.look_into(folder);
  }
  if (search.found().empty()) {
    std::vector<std::string> names;
    for (const fs::path& folder : folders) names.push_back(folder.string());
    throw DataError(cat("no run lies in ", join(names, ", "), " or below"));
  }
  for (const fs::path& folder : search.found()) {
    try {
      project.runs.push_back(emissions_of(folder, settings));
    } catch (const Error& error) {
      project.damaged.push_back(cat(folder.string(), ": ", error.what()));
    } catch (const fs::filesystem_error& error) {
      project.damaged.push_back(cat(folder.string(), ": ", error.code().message()));
    }
  }
  std::ranges::stable_sort(project.runs, {}, start_of);
  leave_out_copies(project);
  for (const RunEmissions& one : project.runs) {
    add(one, project);
    if (one.run.report.missing_ledgers > 0) {
      project.damaged.push_back(cat(name_of_run(one), ": the ledgers of ",
                                    counted(one.run.report.missing_ledgers, "rank"),
                                    " are missing or hold nothing"));
    }
  }
  return project;
}

std::string to_csv(const ProjectEmissions& project) {
  std::string text =
      csv_line({"run", "state", "attempt", "started", "ranks", "seconds", "first_step", "last_step",
                "ended_in_order", "kwh", "kwh_low", "kwh_high", "pue", "g_co2e_per_kwh",
                "facility_kwh", "kg_co2e", "wasted_kwh", "job"});
  for (const RunEmissions& one : project.runs) {
    for (const AttemptEnergy& attempt : one.run.report.attempts) {
      text += csv_line({name_of_run(one), std::string(name_of(one.state)),
                        std::to_string(attempt.attempt), utc_text(attempt.wall_seconds),
                        std::to_string(attempt.num_ranks), shortest(attempt.seconds),
                        attempt.has_computed ? std::to_string(attempt.first_step) : "",
                        attempt.has_computed ? std::to_string(attempt.last_step) : "",
                        attempt.stopped ? "yes" : "no", shortest(kwh(attempt.energy.joules)),
                        shortest(kwh(attempt.energy.low)), shortest(kwh(attempt.energy.high)),
                        shortest(attempt.price.pue), shortest(attempt.price.grid.g_per_kwh),
                        shortest(kwh(attempt.energy.joules * attempt.price.pue)),
                        shortest(attempt.energy.joules * attempt.price.grams_per_joule() / 1000),
                        shortest(kwh(attempt.wasted_joules)), attempt.job ? attempt.job->id : ""});
    }
  }
  return text;
}

std::string to_html(const ProjectEmissions& project) {
  std::string text = "<div class=\"tiles\">\n";
  text += html_tile(energy_text(project.energy.joules), "energy of the computers");
  text += html_tile(energy_text(project.facility.joules), "energy of the facility");
  text +=
      html_tile(emissions_text(project.emissions.grams) + " CO2e", "emissions of the electricity");
  text += html_tile(emissions_text(project.embodied_grams) + " CO2e",
                    "embodied in the hardware, shares of the runs");
  text += html_tile(energy_text(project.wasted_joules), "on steps that were computed again");
  text += html_tile(energy_text(project.unfinished_joules), "in runs that have not finished");
  text += "</div>\n";
  for (const std::string& damaged : project.damaged)
    text += cat("<p class=\"doubt\">", markup_text(cat("Not in these sums: ", damaged)), "</p>\n");
  for (const std::string& copy : project.copies)
    text += cat("<p class=\"soft\">", markup_text(copy), ".</p>\n");
  BarChart chart{"Energy by run", "Wh", {}};
  std::string rows = html_head(
      {"run", "state", "started", "attempts", "energy", "CO2e", "repeated steps", "embodied CO2e"});
  for (const RunEmissions& one : project.runs) {
    const EmissionsReport& report = one.run.report;
    rows += html_row({name_of_run(one), std::string(name_of(one.state)), utc_text(start_of(one)),
                      std::to_string(report.attempts.size()), energy_range_text(report.energy),
                      emissions_range_text(one.run.account.location),
                      energy_text(report.wasted_joules()),
                      emissions_text(one.run.account.embodied_grams())});
    if (chart.bars.size() < kMaxBars)
      chart.bars.push_back({one.folder.filename().string(), report.energy.joules / 3600,
                            energy_text(report.energy.joules)});
  }
  text += html_charts({project.energy.joules > 0 ? to_svg(chart) : ""});
  text += html_section("Runs", rows + kHtmlTableEnd);
  text += html_section(
      "What the numbers stand on",
      "<p>All attempts of all runs, also those that failed or were repeated. Emissions are location-based "
      "and gross; their intervals contain the errors of meters, PUE and grid. Each run's report.html has "
      "its boundary, PUE and grid.</p>\n");
  return html_page("Energy and emissions of a project", text);
}

}  // namespace lmtrain
