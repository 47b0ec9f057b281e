// Checks which keys of a config changed between a checkpoint and the run that resumes from it. Each
// key's description holds its rule (Field::on_resume).
#pragma once

#include <string>
#include <vector>

#include "trainer/config/config.h"

namespace lmtrain {

// Returns "train.precision (bf16 in the checkpoint, fp32 now)" for each key of this rule that
// differs. Sources and paths are compared as text here; the content of the
// files is compared elsewhere.
std::vector<std::string> changed_keys(const Config& before, const Config& now, OnResume rule);

// Throws ConfigError listing the kFixed keys that differ. Logs the kWarned keys that differ.
void check_resume_compatibility(const Config& before, const Config& now);

}  // namespace lmtrain
