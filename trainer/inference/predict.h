// Predictions of a model with a label head or a sentence head for a text or a pair of texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// Tokens `first` .. `last` of an answer.
struct AnswerSpan {
  int64_t first = 0;
  int64_t last = 0;
  double score = 0;  // sum of the two logits
};

// Returns the best answer within tokens begin .. end - 1, at most `longest` tokens long (Devlin et
// al., 2019, section 4.2). `logits` is [positions, 2], fp32 or fp64, on the CPU; end > begin.
AnswerSpan best_answer(const at::Tensor& logits, int64_t begin, int64_t end, int64_t longest);

// Returns {"ids", "logits"} and more keys that depend on the head:
//   label of the text        "label" and "probability", or "value"
//   label of each token      "labels"
//   answer to a question     "answer", "first", "last" and "score"; `text` is the question and
//                            `pair` the passage
//   bert's pretraining       "label", which is "together" or "apart" for the two texts, and
//                            "probability"
// Throws ConfigError for a model with another head and for a question without a passage, DataError
// for a text that is empty or longer than the model's positions.
nlohmann::json predict_labels(const LoadedModel& loaded, const std::string& text,
                              const std::string& pair,
                              SpecialTokens special_tokens = SpecialTokens::kAsText);

}  // namespace lmtrain
