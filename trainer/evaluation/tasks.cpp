#include "trainer/evaluation/tasks.h"

#include <nlohmann/json.hpp>

namespace lmtrain {

TaskResult evaluate_task(const TaskModel& model, const TaskConfig& options,
                         const ItemListener& listener) {
  switch (options.task) {
    case TaskKind::kPerplexity:
      return evaluate_perplexity(model, options, listener);
    case TaskKind::kChoice:
      return evaluate_choice(model, options, listener);
    case TaskKind::kPairs:
      return evaluate_pairs(model, options, listener);
    case TaskKind::kGenerate:
      break;
  }
  return evaluate_generation(model, options, listener);
}

}  // namespace lmtrain
