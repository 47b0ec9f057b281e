// Predictions for texts that are read as training reads labelled ones: a passage in windows, a
// sentence by words, either in several samples where it is too long for one.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/labelled/example.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"
#include "trainer/step/label_predictions.h"

namespace lmtrain {

// Whether the model's head reads these texts so: it answers questions, or labels the words of texts
// without a pair.
bool reads_samples(const ModelConfig& model, const std::vector<TextPair>& texts);

// The samples of a text: of a question and its passage, or of words with spaces between. `stride`:
// tokens that windows of a passage share. Throws DataError for a text without tokens, and for a
// question that leaves no room for the passage.
std::vector<Example> samples_of(const LoadedModel& loaded, const TextPair& text, int64_t max_tokens,
                                int64_t stride);

// What a window of a passage says: its best answer, and the score of "no answer".
struct WindowAnswer {
  const Example* window = nullptr;
  AnswerSpan span;
  double none = 0;
};

struct PassageAnswer {
  size_t window = 0;  // the place of its window
  size_t begin = 0;   // in bytes of the passage; begin and end are equal where there is none
  size_t end = 0;
  double score = 0;
  double none = 0;  // the least of all windows
};

// The best answer of all windows of a passage; with `may_have_none` none where "no answer" scores
// higher in every window (Devlin et al., 2019, section 4.3).
PassageAnswer best_of_windows(const std::string& passage, const std::vector<WindowAnswer>& windows,
                              bool may_have_none);

// `logits`: of each sample's tokens, [tokens, labels], on the CPU. Returns
//   answer to a question     "answer", as it stands in the passage; "begin" and "end", characters
//                            of the passage; "score", "no_answer_score", "windows"; and of the best
//                            window "first", "last", "logits" and "ids"
//   label of each word       "words" with "word" and "label" each; "labels", "label_ids", "logits"
//                            and "ids" of the tokens of all samples
nlohmann::ordered_json predict_samples(const ModelConfig& model, const TextPair& text,
                                       const std::vector<Example>& samples,
                                       const std::vector<at::Tensor>& logits, bool may_have_none);

}  // namespace lmtrain
