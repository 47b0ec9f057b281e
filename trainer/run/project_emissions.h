// The energy and emissions of all runs of a project: finished, failed and repeated ones alike, as
// the provider's boundary of SCI for AI asks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "energy/formats/formats.h"
#include "trainer/run/run_list.h"

namespace lmtrain {

struct RunEmissions {
  std::filesystem::path folder;
  RunState state = RunState::kInterrupted;
  ReportedRun run;
};

struct ProjectEmissions {
  std::vector<RunEmissions> runs;  // in the order of their starts
  // "FOLDER: why": their energy is not in the sums.
  std::vector<std::string> damaged;
  // "FOLDER is a copy of FOLDER, and counts once": their ledgers begin alike.
  std::vector<std::string> copies;
  EnergyRange energy;  // of the computers
  EnergyRange facility;
  EmissionsRange emissions;      // location-based, of the electricity
  double embodied_grams = 0;     // of the hardware's making
  double wasted_joules = 0;      // on steps that were computed again
  double unfinished_joules = 0;  // of runs that have not finished
};

// Looks for runs, and for ledgers of `lmtrain prepare`, in these folders and all below them, but
// not within a run. With `settings` at another price. Throws IoError for a folder that cannot be
// looked into, DataError where there is no run at all, ConfigError for a setting that is not a
// price.
ProjectEmissions project_emissions(const std::vector<std::filesystem::path>& folders,
                                   const std::vector<std::string>& settings);

// A row for each attempt.
std::string to_csv(const ProjectEmissions& project);
// A page for a browser.
std::string to_html(const ProjectEmissions& project);

}  // namespace lmtrain
