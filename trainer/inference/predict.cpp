#include "trainer/inference/predict.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "models/decoder.h"
#include "models/encoder.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr int64_t kLongestAnswer = 30;

// The labels of the sentence head that pretraining trains on pairs of segments.
const std::vector<std::string> kSentenceLabels = {"together", "apart"};

struct EncodedPair {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  int64_t second_begin = 0;  // where the second text begins in ids
  int64_t second_end = 0;
};

EncodedPair encode_pair(const Tokenizer& tokenizer, const std::string& text,
                        const std::string& pair, SpecialTokens special_tokens) {
  std::vector<int32_t> first;
  std::vector<int32_t> second;
  tokenizer.encode(text, first, special_tokens);
  tokenizer.encode(pair, second, special_tokens);
  EncodedPair encoded;
  tokenizer.add_special_tokens(first, second, encoded.ids, encoded.type_ids);
  const auto found =
      std::find_end(encoded.ids.begin(), encoded.ids.end(), second.begin(), second.end());
  encoded.second_begin = found - encoded.ids.begin();
  encoded.second_end = encoded.second_begin + static_cast<int64_t>(second.size());
  return encoded;
}

ModelInput one_sample(const EncodedPair& encoded, const ModelConfig& model) {
  const at::Tensor ids = at::tensor(encoded.ids, at::kLong).unsqueeze(0);
  TokenBatch tokens;
  tokens.ids = ids;
  tokens.lengths = at::full({1}, ids.size(1), at::kLong);
  if (const int64_t segments = model.traits().num_segments; segments > 0)
    tokens.segments = at::tensor(encoded.type_ids, at::kLong).clamp_max(segments - 1).unsqueeze(0);
  return make_input(model, tokens);
}

std::vector<double> numbers(const at::Tensor& row) {
  const at::Tensor wide = row.to(at::kDouble).contiguous();
  return {wide.data_ptr<double>(), wide.data_ptr<double>() + wide.numel()};
}

json rows_of(const at::Tensor& logits) {
  json rows = json::array();
  for (int64_t i = 0; i < logits.size(0); ++i) rows.push_back(numbers(logits[i]));
  return rows;
}

json of_text(const ModelConfig& model, const at::Tensor& logits) {
  json result = {{"logits", numbers(logits)}};
  if (model.is_regression()) {
    result["value"] = logits[0].item<double>();
    return result;
  }
  const auto best = static_cast<size_t>(logits.argmax().item<int64_t>());
  result["label"] = (model.has_sentence_head() ? kSentenceLabels : model.labels)[best];
  result["probability"] =
      logits.to(at::kDouble).softmax(-1)[static_cast<int64_t>(best)].item<double>();
  return result;
}

json of_tokens(const ModelConfig& model, const at::Tensor& logits) {
  std::vector<std::string> labels;
  for (int64_t i = 0; i < logits.size(0); ++i)
    labels.push_back(model.labels[static_cast<size_t>(logits[i].argmax().item<int64_t>())]);
  return {{"logits", rows_of(logits)}, {"labels", labels}};
}

json of_question(const Tokenizer& tokenizer, const EncodedPair& encoded, const at::Tensor& logits) {
  const AnswerSpan span =
      best_answer(logits, encoded.second_begin, encoded.second_end, kLongestAnswer);
  const std::span<const int32_t> tokens(encoded.ids.data() + span.first,
                                        static_cast<size_t>(span.last - span.first + 1));
  return {{"logits", rows_of(logits)},
          {"answer", shown_as_utf8(tokenizer.decode(tokens))},
          {"first", span.first},
          {"last", span.last},
          {"score", span.score}};
}

}  // namespace

AnswerSpan best_answer(const at::Tensor& logits, int64_t begin, int64_t end, int64_t longest) {
  const std::vector<double> firsts = numbers(logits.select(1, 0));
  const std::vector<double> lasts = numbers(logits.select(1, 1));
  const auto score = [&](int64_t first, int64_t last) {
    return firsts[static_cast<size_t>(first)] + lasts[static_cast<size_t>(last)];
  };
  AnswerSpan best = {begin, begin, score(begin, begin)};
  for (int64_t first = begin; first < end; ++first) {
    for (int64_t last = first; last < std::min(end, first + longest); ++last) {
      if (score(first, last) > best.score) best = {first, last, score(first, last)};
    }
  }
  return best;
}

json predict_labels(const LoadedModel& loaded, const std::string& text, const std::string& pair,
                    SpecialTokens special_tokens) {
  const ModelConfig& model = loaded.config.model;
  if (!model.has_label_head() && !model.has_sentence_head()) {
    throw ConfigError(cat(loaded.checkpoint.string(), " has model.head = ", model.head,
                          ", which says nothing of labels; score it instead"));
  }
  if (model.answers_questions() && pair.empty()) {
    throw ConfigError(cat(loaded.checkpoint.string(),
                          " answers questions: give the question as --text and the passage that "
                          "holds the answer as --pair"));
  }
  if (model.has_sentence_head() && pair.empty()) {
    throw ConfigError(cat(loaded.checkpoint.string(),
                          " tells whether two texts belong together: give the second as --pair"));
  }
  const EncodedPair encoded = encode_pair(loaded.tokenizer, text, pair, special_tokens);
  if (encoded.ids.empty()) throw DataError("the text is empty");
  if (model.answers_questions() && encoded.second_begin >= encoded.second_end)
    throw DataError("--pair holds no token: give the passage that holds the answer");
  if (static_cast<int64_t>(encoded.ids.size()) > model.max_positions) {
    throw DataError(cat("the text has ", encoded.ids.size(),
                        " tokens, special ones included, more than the model's ",
                        model.max_positions, " positions; give a shorter one"));
  }
  const at::NoGradGuard no_gradients;
  const at::Tensor logits = loaded.model->label_logits(one_sample(encoded, model))[0];
  const bool is_of_text = model.classifies_texts() || model.has_sentence_head();
  json result = is_of_text                  ? of_text(model, logits)
                : model.answers_questions() ? of_question(loaded.tokenizer, encoded, logits)
                                            : of_tokens(model, logits);
  result["checkpoint"] = loaded.checkpoint.string();
  result["ids"] = encoded.ids;
  return result;
}

}  // namespace lmtrain
