// What follows from a config's task: the head of the model.
#pragma once

#include "trainer/config/load_config.h"

namespace lmtrain {

// Sets model.head, and the one label of a regression. Throws ConfigError for a head or labels that
// were set to something else, and for a head that only another task trains.
void resolve_task(LoadedConfig& loaded);

// Whether the labels of this task have names.
bool has_label_names(TrainingTask task);

// The model, with two labels where only the texts will say which there are.
ModelConfig with_some_labels(const Config& config);

}  // namespace lmtrain
