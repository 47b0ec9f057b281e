#include "trainer/evaluation/label_metrics.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>

#include "base/text.h"

namespace lmtrain {

namespace {

double ratio(double part, double all) { return all > 0 ? part / all : 0; }

double f1_of(double precision, double recall) {
  return ratio(2 * precision * recall, precision + recall);
}

// 1 for the smallest; equal values share the mean of their ranks.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + end - 1) + 1;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
    begin = end;
  }
  return ranks;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto count = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / count;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / count;
  double both = 0;
  double of_a = 0;
  double of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    of_a += (a[i] - mean_a) * (a[i] - mean_a);
    of_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return of_a > 0 && of_b > 0 ? both / std::sqrt(of_a * of_b) : 0;
}

struct Tag {
  char prefix = 'O';
  std::string type;

  bool is_outside() const { return prefix == 'O' || prefix == '.'; }
  bool ends() const { return prefix == 'E' || prefix == 'S'; }
  bool begins() const { return prefix == 'B' || prefix == 'S'; }
};

// "B-PER". A tag without a type, such as "B", has the type "_".
Tag parse_tag(const std::string& text) {
  if (text.empty()) return {};
  const size_t dash = text.find('-');
  const std::string type = dash == std::string::npos ? text.substr(1) : text.substr(dash + 1);
  return {text.front(), type.empty() ? "_" : type};
}

double word_f1(const std::string& predicted, const std::string& known) {
  const std::vector<std::string> a = split_words(predicted);
  const std::vector<std::string> b = split_words(known);
  if (a.empty() || b.empty()) return a == b ? 1 : 0;
  std::map<std::string, int64_t> left;
  for (const std::string& word : b) ++left[word];
  double same = 0;
  for (const std::string& word : a)
    if (left[word]-- > 0) ++same;
  return f1_of(same / static_cast<double>(a.size()), same / static_cast<double>(b.size()));
}

}  // namespace

Confusion confusion_of(const std::vector<int64_t>& truth, const std::vector<int64_t>& predicted,
                       size_t num_labels) {
  Confusion confusion(num_labels, std::vector<int64_t>(num_labels, 0));
  for (size_t i = 0; i < truth.size(); ++i)
    ++confusion.at(static_cast<size_t>(truth[i])).at(static_cast<size_t>(predicted[i]));
  return confusion;
}

LabelMetrics classification_metrics(const Confusion& confusion) {
  const size_t size = confusion.size();
  std::vector<double> of_truth(size, 0);
  std::vector<double> of_predicted(size, 0);
  double all = 0;
  double correct = 0;
  for (size_t i = 0; i < size; ++i) {
    for (size_t k = 0; k < size; ++k) {
      const auto count = static_cast<double>(confusion[i][k]);
      of_truth[i] += count;
      of_predicted[k] += count;
      all += count;
      correct += i == k ? count : 0;
    }
  }
  std::vector<double> f1(size, 0);
  double sum = 0;
  double present = 0;
  double products = 0;
  double truth_squares = 0;
  double predicted_squares = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto hits = static_cast<double>(confusion[i][i]);
    f1[i] = f1_of(ratio(hits, of_predicted[i]), ratio(hits, of_truth[i]));
    products += of_truth[i] * of_predicted[i];
    truth_squares += of_truth[i] * of_truth[i];
    predicted_squares += of_predicted[i] * of_predicted[i];
    if (of_truth[i] + of_predicted[i] == 0) continue;
    sum += f1[i];
    ++present;
  }
  const double spread = std::sqrt((all * all - truth_squares) * (all * all - predicted_squares));
  LabelMetrics metrics = {{"accuracy", ratio(correct, all)}};
  if (size == 2) metrics.emplace_back("f1", f1[1]);
  metrics.emplace_back("f1_macro", ratio(sum, present));
  metrics.emplace_back("f1_micro", ratio(correct, all));
  metrics.emplace_back("matthews", ratio(correct * all - products, spread));
  return metrics;
}

LabelMetrics regression_metrics(const std::vector<double>& truth,
                                const std::vector<double>& predicted) {
  double squares = 0;
  for (size_t i = 0; i < truth.size(); ++i)
    squares += (predicted[i] - truth[i]) * (predicted[i] - truth[i]);
  return {{"pearson", correlation(truth, predicted)},
          {"spearman", correlation(ranks_of(truth), ranks_of(predicted))},
          {"mean_squared_error", ratio(squares, static_cast<double>(truth.size()))}};
}

bool mark_spans(const std::vector<std::string>& tags) {
  return std::ranges::all_of(tags, [](const std::string& tag) {
    constexpr std::string_view kPrefixes = "BIESLU";
    return tag == "O" ||
           (tag.size() > 1 && tag[1] == '-' && kPrefixes.find(tag[0]) != std::string_view::npos);
  });
}

std::vector<TagSpan> spans_of(const std::vector<std::string>& tags) {
  std::vector<TagSpan> spans;
  Tag before;
  int64_t begin = 0;
  for (size_t i = 0; i <= tags.size(); ++i) {
    const Tag now = i < tags.size() ? parse_tag(tags[i]) : Tag{};
    const bool is_other = before.is_outside() || now.is_outside() || before.type != now.type;
    if (!before.is_outside() && (before.ends() || now.begins() || is_other))
      spans.push_back({before.type, begin, static_cast<int64_t>(i)});
    if (!now.is_outside() && (now.begins() || before.ends() || is_other))
      begin = static_cast<int64_t>(i);
    before = now;
  }
  return spans;
}

LabelMetrics tagging_metrics(const std::vector<std::vector<std::string>>& truth,
                             const std::vector<std::vector<std::string>>& predicted) {
  double tags = 0;
  double correct = 0;
  double hits = 0;
  double known = 0;
  double found = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    for (size_t k = 0; k < truth[i].size(); ++k) {
      ++tags;
      correct += truth[i][k] == predicted[i][k] ? 1 : 0;
    }
    const std::vector<TagSpan> of_truth = spans_of(truth[i]);
    const std::vector<TagSpan> of_predicted = spans_of(predicted[i]);
    known += static_cast<double>(of_truth.size());
    found += static_cast<double>(of_predicted.size());
    for (const TagSpan& span : of_predicted)
      hits += std::ranges::find(of_truth, span) != of_truth.end() ? 1 : 0;
  }
  const double precision = ratio(hits, found);
  const double recall = ratio(hits, known);
  return {{"span_f1", f1_of(precision, recall)},
          {"span_precision", precision},
          {"span_recall", recall},
          {"accuracy", ratio(correct, tags)}};
}

std::string normalised_answer(std::string_view text) {
  std::string letters;
  for (const char letter : in_lower_case(text)) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x80 && std::ispunct(byte) != 0) continue;
    letters += byte < 0x80 && std::isspace(byte) != 0 ? ' ' : letter;
  }
  std::string normalised;
  for (const std::string& word : split_words(letters)) {
    if (word == "a" || word == "an" || word == "the") continue;
    normalised += (normalised.empty() ? "" : " ") + word;
  }
  return normalised;
}

LabelMetrics answer_metrics(const std::vector<AnswerPair>& answers) {
  double exact = 0;
  double f1 = 0;
  for (const AnswerPair& one : answers) {
    const std::string predicted = normalised_answer(one.predicted);
    std::vector<std::string> known;
    for (const std::string& answer : one.known) known.push_back(normalised_answer(answer));
    if (known.empty()) known = {""};
    double best_exact = 0;
    double best_f1 = 0;
    for (const std::string& answer : known) {
      best_exact = std::max(best_exact, answer == predicted ? 1.0 : 0.0);
      best_f1 = std::max(best_f1, word_f1(predicted, answer));
    }
    exact += best_exact;
    f1 += best_f1;
  }
  const auto all = static_cast<double>(answers.size());
  return {{"exact_match", ratio(exact, all)}, {"answer_f1", ratio(f1, all)}};
}

}  // namespace lmtrain
