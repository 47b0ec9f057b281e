// What a model's prediction for a text rests on: how much each token contributes to it, and what
// the blocks attend to.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/explanation/prediction.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"

namespace lmtrain {

struct ExplainOptions {
  PredictionChoice choice;
  ScoreKind score = ScoreKind::kLogProbability;
  // The token whose vector stands for "nothing here"; -1: a vector of zeros. Special tokens of a
  // text stay as they are.
  int32_t baseline = -1;
  double tolerance = 0.01;  // of the completeness
  int64_t max_points = 1024;
  int64_t most_attention = 0;                          // elements of the maps at most; 0: no maps
  std::function<void(int64_t tokens)> on_tokens = {};  // told of tokens of points, as they are read
};

struct Explanation {
  EncodedText text;
  Prediction prediction;
  std::vector<bool> is_replaced;             // by the baseline, for each token
  std::vector<double> integrated_gradients;  // of each token
  std::vector<double> gradient_x_input;
  double input_score = 0;
  double baseline_score = 0;
  double sum = 0;                   // of the integrated gradients
  double relative_error = 0;        // of that sum
  double relative_token_error = 0;  // of the contributions, estimated
  bool holds = false;               // both are within the tolerance
  int64_t num_points = 0;
  // uint8 [layers, heads, queries, keys], 255 for a probability of 1. Undefined where it is not
  // asked for or too large.
  at::Tensor attention;
  bool attention_is_averaged = false;  // over the heads, so that there is one: all were too large
};

// The token that a baseline is made of unless another is asked for: the mask of an encoder and the
// end token of a decoder; -1 where there is none.
int32_t default_baseline(const LoadedModel& loaded);

// Computes in the model's type; below fp32 the completeness is out of reach. All ranks of a cut
// model call this. Throws ConfigError or DataError where the text has no such prediction, nothing
// that the baseline can replace, or a score that is not finite.
Explanation explain(const LoadedModel& loaded, const EncodedText& text,
                    const ExplainOptions& options);

}  // namespace lmtrain
