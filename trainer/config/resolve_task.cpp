#include "trainer/config/resolve_task.h"

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

HeadKind head_of(TrainingTask task) {
  switch (task) {
    case TrainingTask::kClassification:
    case TrainingTask::kRegression:
      return HeadKind::kSequenceClassification;
    case TrainingTask::kTagging:
      return HeadKind::kTokenClassification;
    case TrainingTask::kQuestionAnswering:
      return HeadKind::kQuestionAnswering;
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      break;
  }
  return HeadKind::kLanguageModel;
}

}  // namespace

bool has_label_names(TrainingTask task) {
  return task == TrainingTask::kClassification || task == TrainingTask::kTagging;
}

ModelConfig with_some_labels(const Config& config) {
  ModelConfig model = config.model;
  if (has_label_names(config.task) && model.labels.empty()) model.labels = {"0", "1"};
  return model;
}

void resolve_task(LoadedConfig& loaded) {
  Config& config = loaded.config;
  ModelConfig& model = config.model;
  if (config.task == TrainingTask::kInstructionTuning && config.data.labelled.pack)
    config.data.isolate_documents = true;
  if (predicts_text(config.task)) {
    if (!model.has_label_head()) return;
    throw ConfigError(cat(place_of(loaded, {"model.head", "task"}), "model.head = ", model.head,
                          " is trained on labelled texts: set task to ",
                          model.head == HeadKind::kTokenClassification ? "tagging"
                          : model.answers_questions()                  ? "question_answering"
                                                      : "classification or regression"));
  }
  const HeadKind head = head_of(config.task);
  if (loaded.positions.is_set("model.head") && model.head != head) {
    throw ConfigError(cat(place_of(loaded, {"model.head"}), "model.head = ", model.head,
                          " does not go with task = ", config.task, ", which trains ", head,
                          "; leave it out"));
  }
  model.head = head;
  if (has_label_names(config.task)) return;
  if (loaded.positions.is_set("model.labels")) {
    throw ConfigError(cat(place_of(loaded, {"model.labels"}),
                          "model.labels has no effect with task = ", config.task,
                          "; leave it out"));
  }
  model.labels.clear();
  if (config.task == TrainingTask::kRegression) model.labels = {"value"};
}

}  // namespace lmtrain
