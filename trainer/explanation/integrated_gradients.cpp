#include "trainer/explanation/integrated_gradients.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

struct Node {
  double place;   // in -1 .. 1
  double weight;  // all add up to 2
};
// Roots of the Legendre polynomial of degree 8 (Abramowitz and Stegun, 1964, table 25.4).
constexpr std::array<Node, 4> kRightHalf = {{{0.1834346424956498, 0.3626837833783620},
                                             {0.5255324099163290, 0.3137066458778873},
                                             {0.7966664774136267, 0.2223810344533745},
                                             {0.9602898564975363, 0.1012285362903763}}};
constexpr int64_t kNodes = 2 * static_cast<int64_t>(kRightHalf.size());
// Both halves of a piece, and the place between them.
constexpr int64_t kPointsToHalve = 2 * kNodes + 1;

// A part of the line, whose places go from 0 at the baseline to 1 at the input.
struct Piece {
  double begin = 0;
  double end = 1;
  double begin_score = 0;
  double end_score = 0;
  at::Tensor contributions;
  double error = 0;  // of their sum
};

class Line {
 public:
  Line(const ScoreFunction& score, const at::Tensor& input, const at::Tensor& baseline,
       const IntegrationOptions& options)
      : score_(score), baseline_(baseline), step_(input - baseline), options_(options) {}

  std::vector<Piece> begin() {
    const std::vector<double> nodes = nodes_of(0, 1);
    std::vector<double> places = {0, 1};
    places.insert(places.end(), nodes.begin(), nodes.end());
    const ScoredPoints found = at_places(places);
    Piece whole = {.begin_score = found.scores[0].item<double>(),
                   .end_score = found.scores[1].item<double>()};
    integrate(whole, found.gradients.narrow(0, 2, kNodes));
    return {whole};
  }

  std::pair<Piece, Piece> halves(const Piece& piece) {
    const double middle = (piece.begin + piece.end) / 2;
    std::vector<double> places = nodes_of(piece.begin, middle);
    const std::vector<double> right_nodes = nodes_of(middle, piece.end);
    places.insert(places.end(), right_nodes.begin(), right_nodes.end());
    places.push_back(middle);
    const ScoredPoints found = at_places(places);
    const auto score = found.scores[2 * kNodes].item<double>();
    Piece left = {piece.begin, middle, piece.begin_score, score, {}, 0};
    Piece right = {middle, piece.end, score, piece.end_score, {}, 0};
    integrate(left, found.gradients.narrow(0, 0, kNodes));
    integrate(right, found.gradients.narrow(0, kNodes, kNodes));
    return {left, right};
  }

  int64_t num_points() const { return num_points_; }

 private:
  static std::vector<double> nodes_of(double begin, double end) {
    std::vector<double> places;
    for (const Node& node : kRightHalf) {
      const double offset = node.place * (end - begin) / 2;
      places.push_back((begin + end) / 2 - offset);
      places.push_back((begin + end) / 2 + offset);
    }
    return places;
  }

  ScoredPoints at_places(const std::vector<double>& places) {
    std::vector<at::Tensor> scores;
    std::vector<at::Tensor> gradients;
    const auto count = static_cast<int64_t>(places.size());
    for (int64_t first = 0; first < count; first += options_.points_at_once) {
      std::vector<at::Tensor> points;
      for (int64_t i = first; i < std::min(count, first + options_.points_at_once); ++i)
        points.push_back(baseline_ + step_ * places[static_cast<size_t>(i)]);
      const ScoredPoints found = score_(at::stack(points));
      scores.push_back(found.scores);
      gradients.push_back(found.gradients);
      if (options_.on_points) options_.on_points(found.scores.numel());
    }
    num_points_ += count;
    return {at::cat(scores), at::cat(gradients)};
  }

  // gradients: those at nodes_of() the piece.
  void integrate(Piece& piece, const at::Tensor& gradients) const {
    at::Tensor sum = at::zeros_like(step_, at::kDouble);
    for (int64_t i = 0; i < kNodes; ++i)
      sum.add_(gradients[i].to(at::kDouble), kRightHalf[static_cast<size_t>(i / 2)].weight / 2);
    piece.contributions = sum.mul_(step_).mul_(piece.end - piece.begin);
    piece.error =
        std::abs(piece.end_score - piece.begin_score - piece.contributions.sum().item<double>());
  }

  const ScoreFunction& score_;
  at::Tensor baseline_;
  at::Tensor step_;
  const IntegrationOptions& options_;
  int64_t num_points_ = 0;
};

}  // namespace

double IntegratedGradients::sum() const { return contributions.sum().item<double>(); }

double IntegratedGradients::relative_error() const {
  constexpr double kSmallest = 1e-12;  // of the difference, so that the result is a number
  return std::abs(sum() - difference()) / std::max(std::abs(difference()), kSmallest);
}

IntegratedGradients integrated_gradients(const ScoreFunction& score, const at::Tensor& input,
                                         const at::Tensor& baseline,
                                         const IntegrationOptions& options) {
  TORCH_CHECK(options.max_points >= kFewestPoints, "integrated gradients need ", kFewestPoints,
              " points");
  Line line(score, input, baseline, options);
  std::vector<Piece> pieces = line.begin();
  IntegratedGradients result;
  result.baseline_score = pieces[0].begin_score;
  result.input_score = pieces[0].end_score;
  const double allowed = options.tolerance * std::abs(result.difference());
  const auto total_error = [&] {
    double sum = 0;
    for (const Piece& piece : pieces) sum += piece.error;
    return sum;
  };
  while (total_error() > allowed && line.num_points() + kPointsToHalve <= options.max_points) {
    const auto worst = std::ranges::max_element(pieces, {}, &Piece::error);
    const auto [left, right] = line.halves(*worst);
    *worst = left;
    pieces.push_back(right);
  }
  result.contributions = at::zeros_like(input, at::kDouble);
  for (const Piece& piece : pieces) result.contributions.add_(piece.contributions);
  result.num_points = line.num_points();
  return result;
}

}  // namespace lmtrain
