#include "trainer/checkpoint/resume_compatibility.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

std::vector<std::string> changed_keys(const Config& before, const Config& now, OnResume rule) {
  std::vector<std::string> changed;
  for (const ConfigChange& change : config_changes(values_of(before), values_of(now))) {
    if (change.on_resume != rule) continue;
    changed.push_back(
        cat(change.key, " (", change.before, " in the checkpoint, ", change.now, " now)"));
  }
  return changed;
}

void check_resume_compatibility(const Config& before, const Config& now) {
  const std::vector<std::string> refused = changed_keys(before, now, OnResume::kFixed);
  if (!refused.empty()) {
    throw ConfigError(cat("the checkpoint was made with another config: ", join(refused, ", "),
                          "; set them back, or choose another run.name to start anew"));
  }
  for (const std::string& changed : changed_keys(before, now, OnResume::kWarned)) {
    log_info(cat("changed since the checkpoint: ", changed));
  }
}

}  // namespace lmtrain
