// What a model with a label head predicts of labelled texts, in the form in which an evaluation
// collects it.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "data/batch.h"
#include "models/model_config.h"

namespace lmtrain {

// Tokens of an answer at most.
inline constexpr int64_t kLongestAnswer = 30;

// Tokens `first` .. `last` of an answer.
struct AnswerSpan {
  int64_t first = 0;
  int64_t last = 0;
  double score = 0;  // sum of the two logits
};

// Returns the best answer within tokens begin .. end - 1, at most `longest` tokens long (Devlin et
// al., 2019, section 4.2). `logits` is [positions, 2], fp32 or fp64, on the CPU; end > begin.
AnswerSpan best_answer(const at::Tensor& logits, int64_t begin, int64_t end, int64_t longest);

// The elements of a tensor on the CPU, in order.
std::vector<double> numbers(const at::Tensor& tensor);

// For each sample of the batch, from Model::label_logits of it:
//   label of the text       the label
//   number                  the number
//   label of each token     the labels of the tokens that have one
//   answer to a question    first and last token, the score of the two, and that of "no answer"
//                           (Devlin et al., 2019, section 4.3: that of the first token)
std::vector<std::vector<double>> label_predictions(const ModelConfig& model, const Batch& batch,
                                                   const at::Tensor& logits);

}  // namespace lmtrain
