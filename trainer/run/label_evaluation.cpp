#include "trainer/run/label_evaluation.h"

#include <algorithm>
#include <map>
#include <span>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "trainer/config/measures.h"
#include "trainer/evaluation/label_metrics.h"
#include "trainer/inference/predict_samples.h"

namespace lmtrain {
namespace {

// `usual` is the measure that is shown where the config names none.
TaskMetrics metrics_of(const LabelMetrics& values, const std::string& wanted,
                       const std::string& usual) {
  const std::string& measure = wanted == "loss" ? usual : wanted;
  if (std::ranges::find(values, measure, &LabelMetrics::value_type::first) == values.end()) {
    std::vector<std::string> names = {"loss"};
    for (const auto& [name, value] : values) names.push_back(name);
    throw ConfigError(cat("eval.measure = ", measure,
                          " is not measured with these labels; there are ", join(names, ", ")));
  }
  TaskMetrics metrics;
  metrics.lower_is_better = is_lower_better(measure);
  metrics.name = kValidationTask;
  metrics.measure = measure;
  for (const auto& [name, value] : values) {
    metrics.numbers[name] = value;
    if (name == measure) metrics.value = value;
  }
  return metrics;
}

int64_t as_label(double value) { return static_cast<int64_t>(value); }

std::vector<std::string> names_of(const std::vector<std::string>& names,
                                  const std::vector<int64_t>& labels) {
  std::vector<std::string> texts;
  for (const int64_t label : labels) texts.push_back(names.at(static_cast<size_t>(label)));
  return texts;
}

std::vector<int64_t> known_labels(const Example& example) {
  std::vector<int64_t> labels;
  for (const int32_t label : example.labels)
    if (label >= 0) labels.push_back(label);
  return labels;
}

bool has_passages_without_answer(const PreparedExamples& prepared) {
  return std::ranges::any_of(prepared.passages,
                             [](const Passage& passage) { return passage.answers.empty(); });
}

// The best answer of the windows of a passage; "" where it has none.
std::string answer_of(const std::string& passage, const ExampleFile& examples,
                      const std::vector<const EvaluatedSample*>& samples, bool may_have_none) {
  std::vector<Example> windows;
  for (const EvaluatedSample* sample : samples) windows.push_back(examples.at(sample->place));
  std::vector<WindowAnswer> answers;
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::vector<double>& said = samples[i]->predictions;
    const AnswerSpan span = {static_cast<int64_t>(said[0]), static_cast<int64_t>(said[1]), said[2]};
    answers.push_back({&windows[i], span, said[3]});
  }
  const PassageAnswer best = best_of_windows(passage, answers, may_have_none);
  return passage.substr(best.begin, best.end - best.begin);
}

}  // namespace

LabelEvaluator::LabelEvaluator(const Config& config, const PreparedExamples& prepared)
    : task_(config.task), measure_(config.eval.measure), prepared_(prepared) {
  if (task_ != TrainingTask::kClassification) return;
  std::vector<int64_t> counts(prepared.labels.size(), 0);
  for (int64_t i = 0; i < prepared.train.size(); ++i)
    ++counts.at(static_cast<size_t>(prepared.train.at(i).labels.at(0)));
  commonest_label_ = std::ranges::max_element(counts) - counts.begin();
}

LabelEvaluation LabelEvaluator::evaluate(const std::vector<EvaluatedSample>& samples) const {
  switch (task_) {
    case TrainingTask::kClassification:
      return of_texts(samples);
    case TrainingTask::kRegression:
      return of_numbers(samples);
    case TrainingTask::kTagging:
      return of_words(samples);
    case TrainingTask::kQuestionAnswering:
      return of_answers(samples);
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      break;
  }
  return {};
}

LabelEvaluation LabelEvaluator::of_texts(const std::vector<EvaluatedSample>& samples) const {
  std::vector<int64_t> truth;
  std::vector<int64_t> predicted;
  for (const EvaluatedSample& sample : samples) {
    truth.push_back(prepared_.validation->at(sample.place).labels.at(0));
    predicted.push_back(as_label(sample.predictions.at(0)));
  }
  const Confusion confusion = confusion_of(truth, predicted, prepared_.labels.size());
  LabelEvaluation result;
  result.metrics = metrics_of(classification_metrics(confusion), measure_, "accuracy");
  result.metrics.numbers["accuracy_of_commonest_label"] =
      static_cast<double>(std::ranges::count(truth, commonest_label_)) /
      static_cast<double>(std::max<size_t>(1, truth.size()));
  result.confusion = ConfusionFacts{prepared_.labels, confusion};
  return result;
}

LabelEvaluation LabelEvaluator::of_numbers(const std::vector<EvaluatedSample>& samples) const {
  std::vector<double> truth;
  std::vector<double> predicted;
  for (const EvaluatedSample& sample : samples) {
    truth.push_back(prepared_.validation->at(sample.place).value);
    predicted.push_back(sample.predictions.at(0));
  }
  return {metrics_of(regression_metrics(truth, predicted), measure_, "pearson"), std::nullopt};
}

LabelEvaluation LabelEvaluator::of_words(const std::vector<EvaluatedSample>& samples) const {
  // The parts of a sentence follow each other in the file.
  std::vector<const EvaluatedSample*> in_order;
  for (const EvaluatedSample& sample : samples) in_order.push_back(&sample);
  std::ranges::sort(in_order, {}, [](const EvaluatedSample* sample) { return sample->place; });
  std::map<int64_t, std::pair<std::vector<int64_t>, std::vector<int64_t>>> by_text;
  for (const EvaluatedSample* sample : in_order) {
    const Example example = prepared_.validation->at(sample->place);
    auto& [truth, predicted] = by_text[example.text];
    const std::vector<int64_t> known = known_labels(example);
    truth.insert(truth.end(), known.begin(), known.end());
    for (const double label : sample->predictions) predicted.push_back(as_label(label));
  }
  if (mark_spans(prepared_.labels)) {
    std::vector<std::vector<std::string>> truth;
    std::vector<std::vector<std::string>> predicted;
    for (const auto& [text, both] : by_text) {
      truth.push_back(names_of(prepared_.labels, both.first));
      predicted.push_back(names_of(prepared_.labels, both.second));
    }
    return {metrics_of(tagging_metrics(truth, predicted), measure_, "span_f1"), std::nullopt};
  }
  std::vector<int64_t> truth;
  std::vector<int64_t> predicted;
  for (const auto& [text, both] : by_text) {
    truth.insert(truth.end(), both.first.begin(), both.first.end());
    predicted.insert(predicted.end(), both.second.begin(), both.second.end());
  }
  const Confusion confusion = confusion_of(truth, predicted, prepared_.labels.size());
  return {metrics_of(classification_metrics(confusion), measure_, "accuracy"),
          ConfusionFacts{prepared_.labels, confusion}};
}

LabelEvaluation LabelEvaluator::of_answers(const std::vector<EvaluatedSample>& samples) const {
  std::map<int64_t, std::vector<const EvaluatedSample*>> by_text;
  for (const EvaluatedSample& sample : samples)
    by_text[prepared_.validation->at(sample.place).text].push_back(&sample);
  const bool may_have_none = has_passages_without_answer(prepared_);
  std::vector<AnswerPair> answers;
  for (const auto& [text, windows] : by_text) {
    const Passage& passage = prepared_.passages.at(static_cast<size_t>(text));
    answers.push_back(
        {answer_of(passage.text, *prepared_.validation, windows, may_have_none), passage.answers});
  }
  return {metrics_of(answer_metrics(answers), measure_, "answer_f1"), std::nullopt};
}

TextSample shown_prediction(const Config& config, const PreparedExamples& prepared,
                            const EvaluatedSample& sample) {
  const Example example = prepared.validation->at(sample.place);
  const std::string text = shown_as_utf8(prepared.tokenizer.decode(example.ids));
  switch (config.task) {
    case TrainingTask::kClassification: {
      const std::vector<std::string> names =
          names_of(prepared.labels, {as_label(sample.predictions.at(0)), example.labels.at(0)});
      return {"", cat(text, "\n-> ", names[0], " (right: ", names[1], ")")};
    }
    case TrainingTask::kRegression:
      return {"", cat(text, "\n-> ", fixed(sample.predictions.at(0), 3),
                      " (right: ", shortest(example.value), ")")};
    case TrainingTask::kTagging: {
      std::vector<int64_t> found;
      for (const double label : sample.predictions) found.push_back(as_label(label));
      return {"", cat(text, "\n-> ", join(names_of(prepared.labels, found), " "), "\n(right: ",
                      join(names_of(prepared.labels, known_labels(example)), " "), ")")};
    }
    case TrainingTask::kQuestionAnswering: {
      const Passage& passage = prepared.passages.at(static_cast<size_t>(example.text));
      return {"", cat(text, "\n-> ",
                      answer_of(passage.text, *prepared.validation, {&sample},
                                has_passages_without_answer(prepared)),
                      " (right: ", join(passage.answers, " / "), ")")};
    }
    case TrainingTask::kLanguageModeling:
    case TrainingTask::kInstructionTuning:
      break;
  }
  return {};
}

}  // namespace lmtrain
