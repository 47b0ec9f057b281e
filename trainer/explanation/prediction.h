// The one prediction of a model that is explained, and its score as a function of the tokens'
// vectors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/choice.h"
#include "trainer/explanation/integrated_gradients.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"

namespace lmtrain {

enum class PredictionKind {
  kLabel,        // of the text, or of its pair
  kValue,        // of a regression
  kTokenLabel,   // of one token
  kAnswer,       // the place of the answer in a passage
  kMaskedToken,  // what stands at a mask
  kNextToken,    // what follows the text
};
constexpr auto choice_names(PredictionKind) {
  return std::to_array<std::string_view>(
      {"label", "value", "token_label", "answer", "masked_token", "next_token"});
}

// What is explained of a probability. A regression is explained by its value.
enum class ScoreKind { kLogProbability, kProbability };
constexpr auto choice_names(ScoreKind) {
  return std::to_array<std::string_view>({"log_probability", "probability"});
}

struct Alternative {
  int64_t id = 0;
  std::string name;
  double probability = 0;
};

struct Prediction {
  PredictionKind kind = PredictionKind::kNextToken;
  std::string name;       // of the label or the token; the text of an answer
  int64_t id = 0;         // of the label or the token
  int64_t position = -1;  // of a masked token, or of one that has a label
  int64_t first = -1;     // token of an answer
  int64_t last = -1;
  double probability = 0;                 // or the value of a regression
  std::vector<Alternative> alternatives;  // the likeliest first, at most 5
};

// Which prediction is meant where there are several.
struct PredictionChoice {
  std::string name;                 // of a label or a token; "": the likeliest
  std::optional<int64_t> id;        // of a label or a token, in place of its name
  std::optional<int64_t> position;  // of a mask, or of a token that has a label
};

// Throws ConfigError or DataError where the text has no such prediction.
Prediction find_prediction(const LoadedModel& loaded, const EncodedText& text,
                           const PredictionChoice& choice);

// The score of a prediction for vectors of the text's tokens, [n, positions, hidden]. The arguments
// must outlive the result.
ScoreFunction score_of(const LoadedModel& loaded, const EncodedText& text,
                       const Prediction& prediction, ScoreKind kind);

}  // namespace lmtrain
