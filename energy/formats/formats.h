// A run's energy and emissions in the forms that others ask for. docs/reporting.md says what each
// is for and what of it people have to fill in.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "energy/report/account.h"
#include "energy/report/report.h"
#include "energy/report/report_config.h"
#include "energy/report/run_facts.h"

namespace lmtrain {

enum class ReportFormat {
  kJson,        // everything, with the account
  kGpai,        // the European Union's form for general-purpose AI models (AI Act, Annex XI)
  kBoamps,      // Boavizta and AFNOR: BoAmps, JSON
  kCyclonedx,   // CycloneDX 1.6, machine-learning bill of materials, JSON
  kSpdx,        // SPDX 3.0.1, AI profile, JSON-LD
  kSci,         // Software Carbon Intensity for AI (ISO/IEC 21031)
  kCodecarbon,  // CodeCarbon's emissions.csv
  kModelCard,   // Hugging Face's metadata, with a section of text
  kPrometheus,  // text exposition format
};
constexpr auto choice_names(ReportFormat) {
  return std::to_array<std::string_view>({"json", "gpai", "boamps", "cyclonedx", "spdx", "sci",
                                          "codecarbon", "model-card", "prometheus"});
}

struct ReportedRun {
  EmissionsReport report;
  RunFacts facts;
  ReportConfig people;
  Account account;
  std::string weights;  // what was hashed: a checkpoint or an exported folder; "" for nothing
  std::string weights_sha256;  // of its only file, or of the list that sha256sum prints of several
  bool is_exported = false;    // whether these are the weights alone, as they are published
};

// Throws DataError for a run without any energy: it has nothing to report.
std::string to_format(ReportFormat format, const ReportedRun& run);

// The settings of `report:` that this format asks for and nobody has given ("report.publisher").
std::vector<std::string> missing_settings(ReportFormat format, const ReportedRun& run);

// One each.
std::string to_account_json(const ReportedRun& run);
std::string to_gpai(const ReportedRun& run);
std::string to_boamps(const ReportedRun& run);
std::string to_cyclonedx(const ReportedRun& run);
std::string to_spdx(const ReportedRun& run);
std::string to_sci(const ReportedRun& run);
std::string to_codecarbon(const ReportedRun& run);
std::string to_model_card(const ReportedRun& run);
std::string to_prometheus(const ReportedRun& run);

// Parts of a model card: licence and emissions as lines of YAML, and a section of Markdown with
// what the training took.
std::string card_metadata(const ReportedRun& run, bool is_tuned);
std::string environmental_impact(const ReportedRun& run);

}  // namespace lmtrain
