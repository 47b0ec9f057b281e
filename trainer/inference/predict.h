// Predictions of a model with a label head or a sentence head for a text or a pair of texts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"
#include "trainer/step/label_predictions.h"

namespace lmtrain {

// The labels of the label head, or of the sentence head: "together" and "apart".
const std::vector<std::string>& labels_of_texts(const ModelConfig& model);

// A matrix as a list of lists.
nlohmann::ordered_json rows_of(const at::Tensor& logits);

struct Answer {
  AnswerSpan span;
  std::string text;
};
// The best answer within the second of the texts. `logits`: [tokens of the text, 2]. Throws
// DataError where the passage holds no token.
Answer answer_of(const Tokenizer& tokenizer, const EncodedText& text, const at::Tensor& logits);

// Throws ConfigError where the model's head says nothing of labels, and for a text without the
// pair that it needs.
void require_labels(const LoadedModel& loaded, const std::vector<TextPair>& texts);

// The logits of each of the texts that are read at once: [labels], or [its tokens, labels].
std::vector<at::Tensor> label_logits(const LoadedModel& loaded,
                                     const std::vector<EncodedText>& texts,
                                     std::span<const size_t> places);

// Returns for each of the texts that are read at once {.., "logits", "ids"}, where the first keys
// depend on the head:
//   label of the text        "label", "label_id", "probability" and "probabilities" by label; or
//                            "value" of a regression
//   label of each token      "labels", "label_ids"
//   answer to a question     "answer", "first", "last" and "score"; the text is the question and
//                            its pair the passage
//   bert's pretraining       as for a text; the labels are "together" and "apart"
std::vector<nlohmann::ordered_json> predict_labels(const LoadedModel& loaded,
                                                   const std::vector<EncodedText>& texts,
                                                   std::span<const size_t> places);

}  // namespace lmtrain
