// How much each token of an input contributes to a score, by integrated gradients (Sundararajan et
// al., "Axiomatic Attribution for Deep Networks", 2017): the gradient, averaged on the straight
// line from a baseline to the input, times the difference of the two. The contributions add up to
// the difference of the scores ("completeness"). That tells how good the average is, but not all:
// errors of tokens may cancel, so that each token's own error is estimated too.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// What a score is at n points, and its gradient there.
struct ScoredPoints {
  at::Tensor scores;     // fp64 [n], on the CPU
  at::Tensor gradients;  // like the points
};
// points: [n, tokens, features].
using ScoreFunction = std::function<ScoredPoints(const at::Tensor& points)>;

struct IntegrationOptions {
  // How far the contributions may be from adding up, as a part of the difference of the scores; and
  // how far all of them together may be off, as a part of the sum of their sizes.
  double tolerance = 0.01;
  int64_t max_points = 1024;  // where the score is computed, at least kFewestPoints
  int64_t points_at_once = 16;
  std::function<void(int64_t points)> on_points = {};  // told how many more have been computed
};
inline constexpr int64_t kFewestPoints = 65;

struct IntegratedGradients {
  at::Tensor contributions;  // fp64 [tokens]
  double input_score = 0;
  double baseline_score = 0;
  double token_error = 0;  // estimated: the sum of the errors of all contributions
  int64_t num_points = 0;

  double difference() const { return input_score - baseline_score; }
  double sum() const;
  // How far sum and difference differ, as a part of the difference.
  double relative_error() const;
  // token_error as a part of the sum of the contributions' sizes.
  double relative_token_error() const;
  bool holds(double tolerance) const;
};

// Cuts the line into pieces, which are shorter towards the baseline, and integrates each with 15
// points (Gauss and Kronrod). Then it halves the worst one until both errors are within the
// tolerance or max_points are used. `input` and `baseline`: [tokens, features], of one type.
IntegratedGradients integrated_gradients(const ScoreFunction& score, const at::Tensor& input,
                                         const at::Tensor& baseline,
                                         const IntegrationOptions& options);

}  // namespace lmtrain
