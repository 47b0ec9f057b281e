#include "trainer/explanation/integrated_gradients.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// The rule of Gauss with 7 points and that of Kronrod with 8 more (Piessens et al., "QUADPACK",
// 1983), from the middle to the right; the left half is its mirror image.
struct Node {
  double place;  // in 0 .. 1, where 1 is the end of the interval
  double kronrod;
  double gauss;
};
constexpr std::array<Node, 8> kRightHalf = {
    {{0.0, 0.209482141084727828, 0.417959183673469388},
     {0.207784955007898468, 0.204432940075298892, 0.0},
     {0.405845151377397167, 0.190350578064785410, 0.381830050505118945},
     {0.586087235467691130, 0.169004726639267903, 0.0},
     {0.741531185599394440, 0.140653259715525919, 0.279705391489276668},
     {0.864864423359769073, 0.104790010322250184, 0.0},
     {0.949107912342758525, 0.063092092629978553, 0.129484966168869693},
     {0.991455371120812640, 0.022935322010529225, 0.0}}};
constexpr int64_t kNodes = 2 * static_cast<int64_t>(kRightHalf.size()) - 1;
// Both halves of a piece, and the place between them.
constexpr int64_t kPointsToHalve = 2 * kNodes + 1;
// Where the first pieces meet. A model that scales its input (RMSNorm) may change most just beside
// a baseline of zeros.
constexpr std::array<double, 5> kFirstCuts = {0.0, 1e-3, 1e-2, 1e-1, 1.0};
static_assert(kFewestPoints == 4 * kNodes + static_cast<int64_t>(kFirstCuts.size()));

// A part of the line, whose places go from 0 at the baseline to 1 at the input.
struct Piece {
  double begin = 0;
  double end = 1;
  double begin_score = 0;
  double end_score = 0;
  at::Tensor contributions;  // fp64 [tokens]
  double sum_error = 0;      // of the sum of the contributions
  double token_error = 0;    // sum of the errors of the contributions
};

class Line {
 public:
  Line(const ScoreFunction& score, const at::Tensor& input, const at::Tensor& baseline,
       const IntegrationOptions& options)
      : score_(score), baseline_(baseline), step_(input - baseline), options_(options) {}

  std::vector<Piece> begin() {
    std::vector<double> places(kFirstCuts.begin(), kFirstCuts.end());
    for (size_t i = 0; i + 1 < kFirstCuts.size(); ++i)
      add_nodes(kFirstCuts[i], kFirstCuts[i + 1], places);
    const Found found = at_places(places);
    std::vector<Piece> pieces;
    for (size_t i = 0; i + 1 < kFirstCuts.size(); ++i) {
      const auto first = static_cast<int64_t>(kFirstCuts.size() + i * kNodes);
      pieces.push_back({.begin = kFirstCuts[i],
                        .end = kFirstCuts[i + 1],
                        .begin_score = found.scores[i],
                        .end_score = found.scores[i + 1]});
      integrate(pieces.back(), found.slopes.narrow(0, first, kNodes));
    }
    return pieces;
  }

  std::pair<Piece, Piece> halves(const Piece& piece) {
    const double middle = (piece.begin + piece.end) / 2;
    std::vector<double> places = {middle};
    add_nodes(piece.begin, middle, places);
    add_nodes(middle, piece.end, places);
    const Found found = at_places(places);
    Piece left = {.begin = piece.begin,
                  .end = middle,
                  .begin_score = piece.begin_score,
                  .end_score = found.scores[0]};
    Piece right = {.begin = middle,
                   .end = piece.end,
                   .begin_score = found.scores[0],
                   .end_score = piece.end_score};
    integrate(left, found.slopes.narrow(0, 1, kNodes));
    integrate(right, found.slopes.narrow(0, 1 + kNodes, kNodes));
    return {left, right};
  }

  int64_t num_points() const { return num_points_; }

 private:
  struct Found {
    std::vector<double> scores;
    at::Tensor slopes;  // fp64 [places, tokens]: how the score grows along the line by each token
  };

  static void add_nodes(double begin, double end, std::vector<double>& places) {
    for (const Node& node : kRightHalf) {
      const double offset = node.place * (end - begin) / 2;
      places.push_back((begin + end) / 2 + offset);
      if (node.place > 0) places.push_back((begin + end) / 2 - offset);
    }
  }

  Found at_places(const std::vector<double>& places) {
    Found found;
    std::vector<at::Tensor> slopes;
    const auto count = static_cast<int64_t>(places.size());
    for (int64_t first = 0; first < count; first += options_.points_at_once) {
      std::vector<at::Tensor> points;
      for (int64_t i = first; i < std::min(count, first + options_.points_at_once); ++i)
        points.push_back(baseline_ + step_ * places[static_cast<size_t>(i)]);
      const ScoredPoints scored = score_(at::stack(points));
      for (int64_t i = 0; i < scored.scores.numel(); ++i)
        found.scores.push_back(scored.scores[i].item<double>());
      slopes.push_back((scored.gradients.to(at::kDouble) * step_).sum(-1));
      if (options_.on_points) options_.on_points(scored.scores.numel());
    }
    found.slopes = at::cat(slopes);
    num_points_ += count;
    return found;
  }

  // slopes: [kNodes, tokens], those at add_nodes() of the piece.
  static void integrate(Piece& piece, const at::Tensor& slopes) {
    at::Tensor kronrod = at::zeros_like(slopes[0]);
    at::Tensor gauss = at::zeros_like(slopes[0]);
    int64_t at = 0;
    for (const Node& node : kRightHalf) {
      for (int side = 0; side < (node.place > 0 ? 2 : 1); ++side, ++at) {
        kronrod.add_(slopes[at], node.kronrod);
        gauss.add_(slopes[at], node.gauss);
      }
    }
    const double half = (piece.end - piece.begin) / 2;
    piece.contributions = kronrod.mul_(half);
    piece.token_error = (piece.contributions - gauss.mul_(half)).abs().sum().item<double>();
    piece.sum_error =
        std::abs(piece.end_score - piece.begin_score - piece.contributions.sum().item<double>());
  }

  const ScoreFunction& score_;
  at::Tensor baseline_;
  at::Tensor step_;
  const IntegrationOptions& options_;
  int64_t num_points_ = 0;
};

// A part of nothing is given as a number too.
double part_of(double value, double whole) { return value / std::max(std::abs(whole), 1e-12); }

// All pieces together.
IntegratedGradients joined(const std::vector<Piece>& pieces, int64_t num_points) {
  IntegratedGradients result;
  result.contributions = at::zeros_like(pieces[0].contributions);
  for (const Piece& piece : pieces) {
    result.contributions.add_(piece.contributions);
    result.token_error += piece.token_error;
    if (piece.begin == 0.0) result.baseline_score = piece.begin_score;
    if (piece.end == 1.0) result.input_score = piece.end_score;
  }
  result.num_points = num_points;
  return result;
}

}  // namespace

double IntegratedGradients::sum() const { return contributions.sum().item<double>(); }

double IntegratedGradients::relative_error() const {
  return part_of(std::abs(sum() - difference()), difference());
}

double IntegratedGradients::relative_token_error() const {
  return part_of(token_error, contributions.abs().sum().item<double>());
}

bool IntegratedGradients::holds(double tolerance) const {
  return relative_error() <= tolerance && relative_token_error() <= tolerance;
}

IntegratedGradients integrated_gradients(const ScoreFunction& score, const at::Tensor& input,
                                         const at::Tensor& baseline,
                                         const IntegrationOptions& options) {
  TORCH_CHECK(options.max_points >= kFewestPoints, "integrated gradients need ", kFewestPoints,
              " points");
  Line line(score, input, baseline, options);
  std::vector<Piece> pieces = line.begin();
  IntegratedGradients result = joined(pieces, line.num_points());
  while (line.num_points() + kPointsToHalve <= options.max_points) {
    const double sizes = result.contributions.abs().sum().item<double>();
    // Errors of sums may cancel between pieces; here they count as if they did not.
    const auto badness = [&](const Piece& piece) {
      return std::max(part_of(piece.sum_error, result.difference()),
                      part_of(piece.token_error, sizes));
    };
    double total = 0;
    for (const Piece& piece : pieces) total += badness(piece);
    if (!(total > options.tolerance)) break;
    const auto worst = std::ranges::max_element(pieces, {}, badness);
    auto [left, right] = line.halves(*worst);
    *worst = std::move(left);
    pieces.push_back(std::move(right));
    result = joined(pieces, line.num_points());
  }
  return result;
}

}  // namespace lmtrain
