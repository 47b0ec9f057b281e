#include "trainer/config/measures.h"

#include <stdexcept>

namespace lmtrain {

std::vector<std::string> measures_of(TrainingTask task) {
  switch (task) {
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      return {"loss"};
    case TrainingTask::kClassification:
      return {"loss", "accuracy", "f1", "f1_macro", "f1_micro", "matthews"};
    case TrainingTask::kRegression:
      return {"loss", "pearson", "spearman", "mean_squared_error"};
    case TrainingTask::kTagging:
      return {"loss",        "accuracy", "span_f1",  "span_precision",
              "span_recall", "f1_macro", "f1_micro", "matthews"};
    case TrainingTask::kQuestionAnswering:
      return {"loss", "exact_match", "answer_f1"};
  }
  throw std::logic_error("a task that is not in the list");
}

bool is_lower_better(std::string_view measure) {
  return measure == "loss" || measure == "mean_squared_error";
}

}  // namespace lmtrain
