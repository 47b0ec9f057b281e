// How well labels, numbers, spans and answers are predicted: the measures by which GLUE (Wang et
// al., 2019), CoNLL and SQuAD (Rajpurkar et al., 2016) compare models. They equal those of
// scikit-learn, scipy, seqeval and SQuAD's own script on the same predictions
// (scripts/check_label_metrics.py).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lmtrain {

// By name, in the order in which they are shown.
using LabelMetrics = std::vector<std::pair<std::string, double>>;

// [labels][labels]: how many of a true label (row) were predicted as a label (column).
using Confusion = std::vector<std::vector<int64_t>>;
Confusion confusion_of(const std::vector<int64_t>& truth, const std::vector<int64_t>& predicted,
                       size_t num_labels);

// accuracy; f1 of the second label where there are two; f1_macro, the mean over the labels that are
// there; f1_micro; matthews, the correlation of Matthews (Gorodkin, 2004, for several labels), 0
// where one side has one label alone.
LabelMetrics classification_metrics(const Confusion& confusion);

// pearson and spearman, 0 where either side is constant, and mean_squared_error.
LabelMetrics regression_metrics(const std::vector<double>& truth,
                                const std::vector<double>& predicted);

// Whether tags mark spans, as O, B-PER and I-PER do; those of parts of speech do not.
bool mark_spans(const std::vector<std::string>& tags);

// A run of tags of one type, such as B-PER I-PER.
struct TagSpan {
  std::string type;
  int64_t begin = 0;
  int64_t end = 0;  // behind the last
  bool operator==(const TagSpan&) const = default;
};
// By the rules of CoNLL's evaluation: a span begins at B or S, and at I or E behind the outside
// (O), behind a span's end (E, S), or of another type.
std::vector<TagSpan> spans_of(const std::vector<std::string>& tags);

// Of sentences' tags: accuracy of tags, and precision, recall and f1 of spans.
LabelMetrics tagging_metrics(const std::vector<std::vector<std::string>>& truth,
                             const std::vector<std::vector<std::string>>& predicted);

// A predicted answer and the known ones; "" and none: the passage holds no answer.
struct AnswerPair {
  std::string predicted;
  std::vector<std::string> known;
};
// exact_match and f1 of words, the best over the known answers, without case, punctuation and
// articles.
LabelMetrics answer_metrics(const std::vector<AnswerPair>& answers);
// What answer_metrics compares.
std::string normalised_answer(std::string_view text);

}  // namespace lmtrain
