// The model card of a run (Mitchell et al., "Model Cards for Model Reporting", 2019), in Hugging
// Face's form: metadata as YAML, then Markdown for people.
#pragma once

#include <string>
#include <vector>

#include "energy/formats/formats.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// From what the run's folder holds and `run`, which reported_run() read of it. What only people
// know and the section `report` does not say is named as not stated. Throws DataError for damaged
// records.
std::string model_card(const RunFolder& folder, const ReportedRun& run);

// The settings of `report:` that the card asks for and nobody has given ("report.licence").
std::vector<std::string> missing_on_card(const ReportedRun& run);

}  // namespace lmtrain
