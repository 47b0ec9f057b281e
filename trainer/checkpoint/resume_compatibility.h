// Which keys of a config may change between a checkpoint and the run that continues from it. The
// rule of each key is part of its description (Field::on_resume).
#pragma once

#include <string>
#include <vector>

#include "trainer/config/config.h"

namespace lmtrain {

// "train.precision (bf16 in the checkpoint, fp32 now)" for each key of this rule that differs.
// Sources and paths count by their text here; what they hold is compared by content elsewhere.
std::vector<std::string> changed_keys(const Config& before, const Config& now, OnResume rule);

// Throws ConfigError that lists the fixed keys which differ; logs those that may, with a note.
void check_resume_compatibility(const Config& before, const Config& now);

}  // namespace lmtrain
