#include "trainer/explanation/prediction.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/error.h"
#include "base/text.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "trainer/inference/predict.h"
#include "trainer/inference/token_name.h"

namespace lmtrain {
namespace {

constexpr int64_t kNumAlternatives = 5;

ModelInput input_of(const LoadedModel& loaded, const EncodedText& text, int64_t times) {
  const std::vector<size_t> places(static_cast<size_t>(times), 0);
  return padded_input(loaded.config.model, {text}, places);
}

// Sets probability and alternatives from the log-probabilities of all labels or tokens, [n].
template <class Name>
void describe(Prediction& prediction, const at::Tensor& log_probabilities, const Name& name) {
  const at::Tensor probabilities = log_probabilities.to(at::kDouble).exp();
  prediction.name = name(prediction.id);
  prediction.probability = probabilities[prediction.id].item<double>();
  const auto [values, ids] = probabilities.topk(std::min(kNumAlternatives, probabilities.numel()));
  for (int64_t i = 0; i < ids.numel(); ++i)
    prediction.alternatives.push_back(
        {ids[i].item<int64_t>(), name(ids[i].item<int64_t>()), values[i].item<double>()});
}

// The id that is given, else the likeliest; nothing where a name is given.
std::optional<int64_t> chosen_id(const PredictionChoice& choice, const at::Tensor& scores) {
  if (choice.id && (*choice.id < 0 || *choice.id >= scores.numel()))
    throw ConfigError(cat("--target-id ", *choice.id, " is not below ", scores.numel()));
  if (choice.id) return choice.id;
  return choice.name.empty() ? std::optional(scores.argmax().item<int64_t>()) : std::nullopt;
}

int64_t label_meant(const std::vector<std::string>& labels, const PredictionChoice& choice,
                    const at::Tensor& logits) {
  if (const auto id = chosen_id(choice, logits)) return *id;
  const auto found = std::ranges::find(labels, choice.name);
  if (found != labels.end()) return found - labels.begin();
  const std::string nearest = nearest_name(choice.name, labels);
  throw ConfigError(cat("--target ", choice.name, " is no label of the model",
                        nearest.empty() ? "" : cat("; did you mean ", nearest, "?"),
                        " (labels: ", join(labels, ", "), ")"));
}

// The token of an id, a special token of this name, or a text of one token.
int64_t token_meant(const Tokenizer& tokenizer, const PredictionChoice& choice,
                    const at::Tensor& log_probabilities) {
  if (const auto id = chosen_id(choice, log_probabilities)) return *id;
  if (const int32_t special = tokenizer.special_token(choice.name); special >= 0) return special;
  std::vector<int32_t> ids;
  tokenizer.encode(choice.name, ids);
  const bool is_unknown = std::ranges::find(ids, tokenizer.unknown_token()) != ids.end();
  if (ids.size() == 1 && !is_unknown) return ids[0];
  std::vector<std::string> names;
  for (const int32_t id : ids) names.push_back(cat("\"", token_in_line(tokenizer, id), "\""));
  throw ConfigError(
      cat("--target \"", choice.name, "\" is ",
          is_unknown ? "not in the vocabulary" : counted(static_cast<int64_t>(ids.size()), "token"),
          " (", join(names, ", "),
          "), and one token is explained: give its text, with the space before it where a new word "
          "begins, or its --target-id"));
}

int64_t position_meant(const PredictionChoice& choice, const EncodedText& text) {
  const auto num_tokens = static_cast<int64_t>(text.ids.size());
  if (*choice.position >= 0 && *choice.position < num_tokens) return *choice.position;
  throw ConfigError(cat("--position ", *choice.position,
                        " is outside the text, whose tokens are 0 to ", num_tokens - 1));
}

void refuse(bool is_given, const char* option, const char* reason) {
  if (is_given) throw ConfigError(cat(option, " has no meaning here: ", reason));
}

// Each takes the logits of the head for the one text, fp64.
Prediction of_value(const ModelConfig& model, const at::Tensor& logits,
                    const PredictionChoice& choice) {
  refuse(!choice.name.empty() || choice.id, "--target", "a regression has one value");
  refuse(choice.position.has_value(), "--position", "the value is that of the whole text");
  return {.kind = PredictionKind::kValue,
          .name = model.labels[0],
          .probability = logits[0].item<double>()};
}

Prediction of_answer(const Tokenizer& tokenizer, const EncodedText& text, const at::Tensor& logits,
                     const PredictionChoice& choice) {
  refuse(!choice.name.empty() || choice.id, "--target", "the answer is found in the passage");
  refuse(choice.position.has_value(), "--position", "the answer is found in the passage");
  const auto [span, answer] = answer_of(tokenizer, text, logits);
  const at::Tensor ends = logits.log_softmax(0);
  return {.kind = PredictionKind::kAnswer,
          .name = answer,
          .first = span.first,
          .last = span.last,
          .probability =
              std::exp(ends[span.first][0].item<double>() + ends[span.last][1].item<double>())};
}

Prediction of_label(const ModelConfig& model, const EncodedText& text, const at::Tensor& logits,
                    const PredictionChoice& choice) {
  Prediction prediction = {.kind = PredictionKind::kLabel};
  at::Tensor row = logits;
  if (logits.dim() == 2) {
    if (!choice.position) {
      throw ConfigError(
          cat("the model labels each token: say with --position which one is meant, 0 to ",
              text.ids.size() - 1));
    }
    prediction.kind = PredictionKind::kTokenLabel;
    prediction.position = position_meant(choice, text);
    row = logits[prediction.position];
  } else {
    refuse(choice.position.has_value(), "--position", "the label is that of the whole text");
  }
  const std::vector<std::string>& labels = labels_of_texts(model);
  prediction.id = label_meant(labels, choice, row);
  describe(prediction, row.log_softmax(-1),
           [&](int64_t id) { return labels[static_cast<size_t>(id)]; });
  return prediction;
}

Prediction of_labels(const LoadedModel& loaded, const EncodedText& text,
                     const PredictionChoice& choice) {
  const ModelConfig& model = loaded.config.model;
  const at::Tensor logits =
      loaded.model->label_logits(input_of(loaded, text, 1))[0].to(at::kDouble);
  if (model.is_regression()) return of_value(model, logits, choice);
  if (model.answers_questions()) return of_answer(loaded.tokenizer, text, logits, choice);
  return of_label(model, text, logits, choice);
}

int64_t mask_position(const LoadedModel& loaded, const EncodedText& text,
                      const PredictionChoice& choice) {
  const int32_t mask = loaded.tokenizer.mask_token();
  std::vector<std::string> masks;
  int64_t first = -1;
  for (size_t i = 0; i < text.ids.size(); ++i) {
    if (text.ids[i] != mask) continue;
    if (masks.empty()) first = static_cast<int64_t>(i);
    masks.push_back(cat(i));
  }
  const std::string_view name = loaded.tokenizer.token_text(mask);
  if (masks.empty())
    throw DataError(cat("the text has no ", name, "; write it where a token is to be guessed"));
  if (!choice.position) return first;
  const int64_t position = position_meant(choice, text);
  if (text.ids[static_cast<size_t>(position)] == mask) return position;
  throw ConfigError(cat("there is no ", name, " at --position ", *choice.position,
                        "; the text has one at ", join(masks, ", ")));
}

Prediction of_tokens(const LoadedModel& loaded, const EncodedText& text,
                     const PredictionChoice& choice) {
  const at::Tensor hidden = loaded.model->hidden(input_of(loaded, text, 1))[0];
  Prediction prediction;
  at::Tensor found;
  if (const auto* const encoder = dynamic_cast<const Encoder*>(loaded.model.get())) {
    prediction.kind = PredictionKind::kMaskedToken;
    prediction.position = mask_position(loaded, text, choice);
    found = encoder->log_probabilities(hidden.narrow(0, prediction.position, 1));
  } else {
    refuse(choice.position.has_value(), "--position", "the next token is that behind the text");
    const auto& decoder = dynamic_cast<const Decoder&>(*loaded.model);
    found = decoder.head().logits(hidden.narrow(0, hidden.size(0) - 1, 1)).log_softmax(-1);
  }
  const at::Tensor row = found[0].narrow(0, 0, loaded.tokenizer.vocab_size());
  prediction.id = token_meant(loaded.tokenizer, choice, row);
  describe(prediction, row,
           [&](int64_t id) { return token_in_line(loaded.tokenizer, static_cast<int32_t>(id)); });
  return prediction;
}

// The log-probability of the prediction, or the value of a regression, differentiable: fp32 or fp64
// [n].
at::Tensor score_of_labels(const Prediction& prediction, const at::Tensor& logits) {
  switch (prediction.kind) {
    case PredictionKind::kValue:
      return logits.select(1, 0);
    case PredictionKind::kTokenLabel:
      return logits.select(1, prediction.position).log_softmax(-1).select(1, prediction.id);
    case PredictionKind::kAnswer: {
      const at::Tensor ends = logits.log_softmax(1);
      return ends.select(1, prediction.first).select(1, 0) +
             ends.select(1, prediction.last).select(1, 1);
    }
    default:
      return logits.log_softmax(-1).select(1, prediction.id);
  }
}

// The total of the losses, whose gradient is minus that of the log-probabilities, and these, [n].
std::pair<at::Tensor, at::Tensor> losses_of_tokens(const LoadedModel& loaded,
                                                   const ModelInput& input,
                                                   const Prediction& prediction) {
  const int64_t samples = input.ids.size(0);
  const int64_t positions = input.ids.size(1);
  const at::Tensor labels = at::full({samples}, prediction.id, at::kLong);
  const at::Tensor weights = at::ones({samples});
  VocabLoss loss;
  if (prediction.kind == PredictionKind::kNextToken) {
    const auto& decoder = dynamic_cast<const Decoder&>(*loaded.model);
    loss = decoder.head().loss(loaded.model->hidden(input).select(1, positions - 1), labels,
                               weights, {});
  } else {
    const auto& encoder = dynamic_cast<const Encoder&>(*loaded.model);
    loss = encoder.token_loss(loaded.model->hidden(input).select(1, prediction.position), labels,
                              weights, {});
  }
  return {loss.total, loss.log_probabilities};
}

}  // namespace

Prediction find_prediction(const LoadedModel& loaded, const EncodedText& text,
                           const PredictionChoice& choice) {
  const at::NoGradGuard no_gradients;
  // BERT's pretraining has both heads: a mask in the text tells which is meant.
  const ModelConfig& model = loaded.config.model;
  const bool has_mask =
      std::ranges::find(text.ids, loaded.tokenizer.mask_token()) != text.ids.end();
  const bool is_of_pair =
      model.has_sentence_head() && !has_mask && text.second_begin < text.second_end;
  return model.has_label_head() || is_of_pair ? of_labels(loaded, text, choice)
                                              : of_tokens(loaded, text, choice);
}

ScoreFunction score_of(const LoadedModel& loaded, const EncodedText& text,
                       const Prediction& prediction, ScoreKind kind) {
  return [&loaded, &text, &prediction, kind](const at::Tensor& points) -> ScoredPoints {
    const at::AutoGradMode with_gradients(true);
    ModelInput input = input_of(loaded, text, points.size(0));
    input.token_vectors = points.detach().requires_grad_(true);
    at::Tensor total;
    at::Tensor scores;
    double sign = 1;
    if (prediction.kind == PredictionKind::kNextToken ||
        prediction.kind == PredictionKind::kMaskedToken) {
      std::tie(total, scores) = losses_of_tokens(loaded, input, prediction);
      sign = -1;
    } else {
      scores = score_of_labels(prediction, loaded.model->label_logits(input));
      total = scores.sum();
    }
    at::Tensor gradients = torch::autograd::grad({total}, {input.token_vectors})[0].mul(sign);
    scores = scores.detach().to(at::kDouble);
    if (kind == ScoreKind::kProbability && prediction.kind != PredictionKind::kValue) {
      scores = scores.exp();
      gradients = gradients.mul(scores.to(gradients.scalar_type()).view({-1, 1, 1}));
    }
    return {scores, gradients};
  };
}

}  // namespace lmtrain
