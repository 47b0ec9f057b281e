// What a model with a head of labels or of sentences says of a text or of a pair of texts.
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

// The best answer within tokens begin .. end - 1, at most `longest` tokens long (Devlin et al.,
// 2019, section 4.2). logits: fp32 or fp64 [positions, 2] on the CPU; end > begin.
AnswerSpan best_answer(const at::Tensor& logits, int64_t begin, int64_t end, int64_t longest);

// {"ids", "logits"} and, by the head: {"label", "probability"} of the text, or {"value"};
// {"labels"} of the tokens; {"answer", "first", "last", "score"}, where `text` is the question and
// `pair` the passage; of bert's pretraining the label "together" or "apart" of the two. Throws
// ConfigError for a model with another head and for a question without a passage, DataError for an
// empty text and one longer than the model's positions.
nlohmann::json predict_labels(const LoadedModel& loaded, const std::string& text,
                              const std::string& pair);

}  // namespace lmtrain
