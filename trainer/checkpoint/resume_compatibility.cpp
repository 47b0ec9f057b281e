#include "trainer/checkpoint/resume_compatibility.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

std::vector<std::string> changed_keys(const Config& before, const Config& now, OnResume rule) {
  const std::vector<ConfigValue> then_values = values_of(before);
  const std::vector<ConfigValue> now_values = values_of(now);
  std::vector<std::string> changed;
  for (size_t i = 0; i < then_values.size(); ++i) {
    const ConfigValue& value = then_values[i];
    if (value.on_resume != rule || value.text == now_values[i].text) continue;
    changed.push_back(
        cat(value.key, " (", value.text, " in the checkpoint, ", now_values[i].text, " now)"));
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
