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
  if (config.task == TrainingTask::kInstructionTuning && config.data.labelled.pack) {
    bool& isolates = config.data.isolate_documents;
    if (loaded.positions.is_set("data.isolate_documents") && !isolates) {
      throw ConfigError(cat(place_of(loaded, {"data.isolate_documents"}),
                            "data.isolate_documents = false does not go with data.labelled.pack: "
                            "the texts of a sequence each see themselves alone; leave it out"));
    }
    isolates = true;
  }
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
  const std::vector<std::string> labels = config.task == TrainingTask::kRegression
                                              ? std::vector<std::string>{"value"}
                                              : std::vector<std::string>();
  if (is_changed(loaded, "model.labels") && model.labels != labels) {
    throw ConfigError(cat(place_of(loaded, {"model.labels"}),
                          "model.labels has no effect with task = ", config.task,
                          "; leave it out"));
  }
  model.labels = labels;
}

}  // namespace lmtrain
