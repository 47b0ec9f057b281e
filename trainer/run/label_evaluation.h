// How well a run's model predicts the labels of its validation texts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/labelled/prepare_labelled.h"
#include "energy/report/run_facts.h"
#include "trainer/config/config.h"
#include "trainer/run/metrics.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

struct LabelEvaluation {
  TaskMetrics metrics;                      // by the name "validation"
  std::optional<ConfusionFacts> confusion;  // of classification
};

class LabelEvaluator {
 public:
  // `prepared` outlives this.
  LabelEvaluator(const Config& config, const PreparedExamples& prepared);

  // `samples` are those of Trainer::evaluate.
  LabelEvaluation evaluate(const std::vector<EvaluatedSample>& samples) const;

 private:
  LabelEvaluation of_texts(const std::vector<EvaluatedSample>& samples) const;
  LabelEvaluation of_numbers(const std::vector<EvaluatedSample>& samples) const;
  LabelEvaluation of_words(const std::vector<EvaluatedSample>& samples) const;
  LabelEvaluation of_answers(const std::vector<EvaluatedSample>& samples) const;

  TrainingTask task_;
  std::string measure_;  // eval.measure
  const PreparedExamples& prepared_;
  int64_t commonest_label_ = 0;  // of the training texts
};

// A sample for the reader of the report: a validation text, what the model says of it, and what is
// right.
TextSample shown_prediction(const Config& config, const PreparedExamples& prepared,
                            const EvaluatedSample& sample);

}  // namespace lmtrain
