// How much each element of an input contributes to a score, by integrated gradients (Sundararajan
// et al., "Axiomatic Attribution for Deep Networks", 2017): the gradient, averaged on the straight
// line from a baseline to the input, times the difference of the two. The contributions add up to
// the difference of the scores ("completeness"), which tells how good the average is. Here it also
// tells where on the line more points are needed.
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
// points: [n, ..], each like the input.
using ScoreFunction = std::function<ScoredPoints(const at::Tensor& points)>;

struct IntegrationOptions {
  // The part of the difference of the scores by which the pieces of the line may be wrong together.
  double tolerance = 0.01;
  int64_t max_points = 1024;  // where the score is computed, at least kFewestPoints
  int64_t points_at_once = 16;
  std::function<void(int64_t points)> on_points = {};  // told how many more have been computed
};
inline constexpr int64_t kFewestPoints = 10;

struct IntegratedGradients {
  at::Tensor contributions;  // like the input
  double input_score = 0;
  double baseline_score = 0;
  int64_t num_points = 0;

  double difference() const { return input_score - baseline_score; }
  double sum() const;
  // How far the two differ, as a part of the difference.
  double relative_error() const;
};

// Cuts the line into pieces, halves the worst one until all together are within the tolerance or
// max_points are used, and integrates each with 8 points (Gauss and Legendre). `input` and
// `baseline` have one shape and type.
IntegratedGradients integrated_gradients(const ScoreFunction& score, const at::Tensor& input,
                                         const at::Tensor& baseline,
                                         const IntegrationOptions& options);

}  // namespace lmtrain
