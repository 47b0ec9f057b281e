// What a validation tells of a model (eval.measure): the loss, and of labelled texts the measures
// of trainer/evaluation/label_metrics.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/labelled/labelled_config.h"

namespace lmtrain {

// The names of a task's measures, the loss first.
std::vector<std::string> measures_of(TrainingTask task);
bool is_lower_better(std::string_view measure);

}  // namespace lmtrain
