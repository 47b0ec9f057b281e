#include "trainer/inference/predict_samples.h"

#include <algorithm>
#include <string_view>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/utf8.h"
#include "data/labelled/encode_examples.h"
#include "trainer/inference/predict.h"

namespace lmtrain {
namespace {

using json = nlohmann::ordered_json;

int64_t num_characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return starts_character(c); });
}

json answer_in(const std::string& passage, const std::vector<Example>& windows,
               const std::vector<at::Tensor>& logits, bool may_have_none) {
  std::vector<WindowAnswer> answers;
  for (size_t i = 0; i < windows.size(); ++i) {
    const int64_t begin = windows[i].passage_begin;
    const int64_t end = begin + std::ssize(windows[i].bytes) / 2;
    answers.push_back({&windows[i], best_answer(logits[i], begin, end, kLongestAnswer),
                       logits[i][0].sum().item<double>()});
  }
  const PassageAnswer best = best_of_windows(passage, answers, may_have_none);
  const std::string_view whole = passage;
  const AnswerSpan& span = answers[best.window].span;
  return {{"answer", shown_as_utf8(whole.substr(best.begin, best.end - best.begin))},
          {"begin", num_characters(whole.substr(0, best.begin))},
          {"end", num_characters(whole.substr(0, best.end))},
          {"score", best.score},
          {"no_answer_score", best.none},
          {"windows", windows.size()},
          {"first", span.first},
          {"last", span.last},
          {"logits", rows_of(logits[best.window])},
          {"ids", windows[best.window].ids}};
}

json words_in(const ModelConfig& model, const std::string& text,
              const std::vector<Example>& samples, const std::vector<at::Tensor>& logits) {
  const std::vector<std::string> words = split_words(text);
  json result = {{"words", json::array()},
                 {"labels", json::array()},
                 {"label_ids", json::array()},
                 {"logits", json::array()},
                 {"ids", json::array()}};
  size_t word = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const at::Tensor best = logits[i].argmax(-1);
    for (size_t k = 0; k < samples[i].ids.size(); ++k) {
      const auto label = static_cast<size_t>(best[static_cast<int64_t>(k)].item<int64_t>());
      result["labels"].push_back(model.labels[label]);
      result["label_ids"].push_back(label);
      result["ids"].push_back(samples[i].ids[k]);
      if (samples[i].labels[k] < 0) continue;  // not the first token of a word
      result["words"].push_back(
          {{"word", shown_as_utf8(words.at(word++))}, {"label", model.labels[label]}});
    }
    for (json& row : rows_of(logits[i])) result["logits"].push_back(std::move(row));
  }
  return result;
}

}  // namespace

bool reads_samples(const ModelConfig& model, const std::vector<TextPair>& texts) {
  if (model.answers_questions()) return true;
  return model.head == HeadKind::kTokenClassification &&
         std::ranges::all_of(texts, [](const TextPair& text) { return text.pair.empty(); });
}

std::vector<Example> samples_of(const LoadedModel& loaded, const TextPair& text, int64_t max_tokens,
                                int64_t stride) {
  const ModelConfig& model = loaded.config.model;
  EncodingRule rule;
  rule.max_tokens = max_tokens;
  rule.stride = stride;
  LabelledText labelled;
  labelled.place = "the text";
  if (model.answers_questions()) {
    rule.task = TrainingTask::kQuestionAnswering;
    labelled.texts = text;
  } else {
    rule.task = TrainingTask::kTagging;
    labelled.words = split_words(text.text);
    // Which label it is does not matter: the first token of a word has one.
    labelled.tags.assign(labelled.words.size(), model.labels.front());
  }
  Tokenizer::Encoder encoder(loaded.tokenizer);
  return encode_examples(labelled, LabelNames(model.labels), loaded.tokenizer, encoder, rule)
      .examples;
}

PassageAnswer best_of_windows(const std::string& passage, const std::vector<WindowAnswer>& windows,
                              bool may_have_none) {
  PassageAnswer best;
  for (size_t i = 0; i < windows.size(); ++i) {
    best.none = i == 0 ? windows[i].none : std::min(best.none, windows[i].none);
    if (i > 0 && windows[i].span.score <= best.score) continue;
    best.window = i;
    best.score = windows[i].span.score;
  }
  if (may_have_none && best.none > best.score) return best;
  const WindowAnswer& answer = windows[best.window];
  const auto byte_of = [&](int64_t token, int64_t side) {
    const int64_t within = token - answer.window->passage_begin;
    const auto byte =
        static_cast<size_t>(answer.window->bytes.at(static_cast<size_t>(2 * within + side)));
    return std::min(passage.size(), byte);
  };
  best.begin = byte_of(answer.span.first, 0);
  best.end = std::max(best.begin, byte_of(answer.span.last, 1));
  return best;
}

json predict_samples(const ModelConfig& model, const TextPair& text,
                     const std::vector<Example>& samples, const std::vector<at::Tensor>& logits,
                     bool may_have_none) {
  return model.answers_questions() ? answer_in(text.pair, samples, logits, may_have_none)
                                   : words_in(model, text.text, samples, logits);
}

}  // namespace lmtrain
