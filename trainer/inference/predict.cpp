#include "trainer/inference/predict.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

using json = nlohmann::ordered_json;

// The labels of the sentence head that pretraining trains on pairs of segments.
const std::vector<std::string> kSentenceLabels = {"together", "apart"};

json of_text(const ModelConfig& model, const at::Tensor& logits) {
  if (model.is_regression()) return {{"value", logits[0].item<double>()}};
  const std::vector<double> probabilities = numbers(logits.to(at::kDouble).softmax(-1));
  const auto best = static_cast<size_t>(logits.argmax().item<int64_t>());
  const std::vector<std::string>& labels = labels_of_texts(model);
  json result = {{"label", labels[best]}, {"label_id", best}, {"probability", probabilities[best]}};
  for (size_t i = 0; i < labels.size(); ++i) result["probabilities"][labels[i]] = probabilities[i];
  return result;
}

json of_tokens(const ModelConfig& model, const at::Tensor& logits) {
  const at::Tensor best = logits.argmax(-1);
  json result = {{"labels", json::array()}, {"label_ids", json::array()}};
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const auto label = static_cast<size_t>(best[i].item<int64_t>());
    result["labels"].push_back(model.labels[label]);
    result["label_ids"].push_back(label);
  }
  return result;
}

json of_question(const Tokenizer& tokenizer, const EncodedText& encoded, const at::Tensor& logits) {
  const auto [span, text] = answer_of(tokenizer, encoded, logits);
  return {{"answer", text}, {"first", span.first}, {"last", span.last}, {"score", span.score}};
}

}  // namespace

json rows_of(const at::Tensor& logits) {
  json rows = json::array();
  for (int64_t i = 0; i < logits.size(0); ++i) rows.push_back(numbers(logits[i]));
  return rows;
}

const std::vector<std::string>& labels_of_texts(const ModelConfig& model) {
  return model.has_sentence_head() ? kSentenceLabels : model.labels;
}

Answer answer_of(const Tokenizer& tokenizer, const EncodedText& text, const at::Tensor& logits) {
  if (text.second_begin >= text.second_end)
    throw DataError("the passage holds no token: give the one that holds the answer");
  const AnswerSpan span = best_answer(logits, text.second_begin, text.second_end, kLongestAnswer);
  const std::span<const int32_t> tokens(text.ids.data() + span.first,
                                        static_cast<size_t>(span.last - span.first + 1));
  return {span, shown_as_utf8(tokenizer.decode(tokens))};
}

void require_labels(const LoadedModel& loaded, const std::vector<TextPair>& texts) {
  const ModelConfig& model = loaded.config.model;
  if (!model.has_label_head() && !model.has_sentence_head()) {
    throw ConfigError(cat(loaded.checkpoint.string(), " has model.head = ", model.head,
                          ", which says nothing of labels; ask it with lmtrain ",
                          model.has_language_head() ? "score" : "embed"));
  }
  const bool wants_pair = model.answers_questions() || model.has_sentence_head();
  for (const TextPair& text : texts) {
    if (!wants_pair || !text.pair.empty()) continue;
    throw ConfigError(
        cat(loaded.checkpoint.string(),
            model.answers_questions()
                ? " answers questions: give the question as --text and the passage that holds the "
                  "answer as --pair"
                : " tells whether two texts belong together: give the second as --pair"));
  }
}

std::vector<at::Tensor> label_logits(const LoadedModel& loaded,
                                     const std::vector<EncodedText>& texts,
                                     std::span<const size_t> places) {
  const ModelConfig& model = loaded.config.model;
  const at::NoGradGuard no_gradients;
  const at::Tensor logits = loaded.model->label_logits(padded_input(model, texts, places));
  require_finite(logits);
  const bool is_of_text = model.classifies_texts() || model.has_sentence_head();
  std::vector<at::Tensor> of_texts;
  for (size_t i = 0; i < places.size(); ++i) {
    const at::Tensor own = logits[static_cast<int64_t>(i)];
    const auto num_tokens = static_cast<int64_t>(texts[places[i]].ids.size());
    of_texts.push_back(is_of_text ? own : own.narrow(0, 0, num_tokens));
  }
  return of_texts;
}

std::vector<json> predict_labels(const LoadedModel& loaded, const std::vector<EncodedText>& texts,
                                 std::span<const size_t> places) {
  const ModelConfig& model = loaded.config.model;
  const std::vector<at::Tensor> logits = label_logits(loaded, texts, places);
  std::vector<json> results;
  for (size_t i = 0; i < places.size(); ++i) {
    const EncodedText& text = texts[places[i]];
    const at::Tensor& own = logits[i];
    const bool is_of_text = own.dim() == 1;
    json result = is_of_text                  ? of_text(model, own)
                  : model.answers_questions() ? of_question(loaded.tokenizer, text, own)
                                              : of_tokens(model, own);
    result["logits"] = is_of_text ? json(numbers(own)) : rows_of(own);
    result["ids"] = text.ids;
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace lmtrain
