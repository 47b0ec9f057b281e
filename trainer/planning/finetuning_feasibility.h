// The checks of feasibility.h that concern labelled texts and parts of a model. Each throws a
// ConfigError that names the place, the values and what to do.
#pragma once

#include <string>
#include <vector>

#include "trainer/config/load_config.h"

namespace lmtrain {

inline bool is_labelled(const Config& config) {
  return config.task != TrainingTask::kLanguageModeling;
}

// The first key that was set to another value than its default among those that begin with one of
// `idle`; "" when there is none.
std::string find_changed_key(const Config& config, const std::vector<std::string>& idle);

// Keys of running text that labelled texts have no use for, and the other way round.
void check_labelled(const LoadedConfig& loaded);
// Adapters need a model that they adapt, and layers.
void check_adapters(const LoadedConfig& loaded);
// Patterns of train.freeze that fit no parameter, or all.
void check_frozen(const LoadedConfig& loaded);
// eval.measure must be what the validation of this task tells, and eval.patience needs validations.
void check_measure(const LoadedConfig& loaded);

}  // namespace lmtrain
