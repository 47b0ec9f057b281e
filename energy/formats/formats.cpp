#include "energy/formats/formats.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {

std::string to_format(ReportFormat format, const ReportedRun& run) {
  if (run.report.energy.joules <= 0)
    throw DataError(cat("no energy of the run ", run.facts.name,
                        " is on record, so there is nothing to report"));
  switch (format) {
    case ReportFormat::kJson:
      return to_account_json(run);
    case ReportFormat::kGpai:
      return to_gpai(run);
    case ReportFormat::kBoamps:
      return to_boamps(run);
    case ReportFormat::kCyclonedx:
      return to_cyclonedx(run);
    case ReportFormat::kSpdx:
      return to_spdx(run);
    case ReportFormat::kSci:
      return to_sci(run);
    case ReportFormat::kCodecarbon:
      return to_codecarbon(run);
    case ReportFormat::kModelCard:
      return to_model_card(run);
    case ReportFormat::kPrometheus:
      return to_prometheus(run);
  }
  throw DataError("unknown format");
}

std::vector<std::string> missing_settings(ReportFormat format, const ReportedRun& run) {
  std::vector<std::string> missing;
  const ReportConfig& people = run.people;
  const auto want = [&](const char* key, const std::string& value) {
    if (value.empty()) missing.push_back(cat("report.", key));
  };
  switch (format) {
    case ReportFormat::kGpai:
      want("publisher", people.publisher);
      want("contact", people.contact);
      want("licence", people.licence);
      want("site", people.site);
      want("pue_source", source_of_pue(run.report, people));
      break;
    case ReportFormat::kBoamps:
      want("publisher", people.publisher);
      want("site", people.site);
      want("infrastructure", people.infrastructure == Infrastructure::kOther ? "" : "set");
      want("cloud_provider",
           people.infrastructure == Infrastructure::kPublicCloud ? people.cloud_provider : "none");
      break;
    case ReportFormat::kCyclonedx:
      want("licence", people.licence);
      want("energy_provider", people.energy_provider);
      break;
    case ReportFormat::kSpdx:
      want("publisher", people.publisher);
      want("licence", people.licence);
      break;
    case ReportFormat::kSci:
      want("site", people.site);
      want("pue_source", source_of_pue(run.report, people));
      break;
    case ReportFormat::kModelCard:
      want("licence", people.licence);
      break;
    case ReportFormat::kJson:
    case ReportFormat::kCodecarbon:
    case ReportFormat::kPrometheus:
      break;
  }
  bool is_pue_assumed = false;
  bool is_grid_assumed = false;
  for (const AttemptEnergy& attempt : run.report.attempts) {
    is_pue_assumed = is_pue_assumed || attempt.price.is_pue_assumed;
    is_grid_assumed = is_grid_assumed || attempt.price.is_grid_assumed;
  }
  if (is_pue_assumed) missing.emplace_back("energy.pue");
  if (is_grid_assumed) missing.emplace_back("energy.region");
  return missing;
}

}  // namespace lmtrain
