#include "trainer/step/step_guard.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Smaller deviations are those of a calm stretch, not of training.
constexpr double kLeastShareOfLoss = 0.01;
constexpr double kLeastOfLogNorm = 0.05;

double least_deviation(const RunningMoments& loss) {
  return kLeastShareOfLoss * std::max(std::abs(loss.mean), 1e-6);
}

// A spike counts as the limit, so that it does not hide the next one, and a lasting change becomes
// usual in time.
void add_limited(RunningMoments& moments, double value, double least, const SpikeConfig& limits) {
  const double most = moments.mean + limits.z_score * std::max(std::sqrt(moments.variance), least);
  moments.add(moments.count < limits.window ? value : std::min(value, most), limits.window);
}

}  // namespace

double RunningMoments::z_score(double value, double deviation) const {
  return (value - mean) / std::max(std::sqrt(variance), deviation);
}

void RunningMoments::add(double value, int64_t window) {
  ++count;
  // The first values count alike, later ones by 2 / (window + 1).
  const double weight =
      std::max(1.0 / static_cast<double>(count), 2.0 / static_cast<double>(window + 1));
  const double difference = value - mean;
  mean += weight * difference;
  variance = (1 - weight) * (variance + weight * difference * difference);
}

std::optional<std::string> StepGuard::spike(double loss, double log_norm) const {
  const SpikeConfig& limits = config_.spikes;
  if (state_.loss.count < limits.window) return std::nullopt;
  const double of_loss = state_.loss.z_score(loss, least_deviation(state_.loss));
  const double of_norm = state_.log_gradient_norm.z_score(log_norm, kLeastOfLogNorm);
  const auto text = [](const char* what, double value, double usual, double z) {
    return cat("a ", what, " of ", fixed(value, 4), ", ", fixed(z, 1),
               " standard deviations above its mean of ", fixed(usual, 4));
  };
  if (of_loss > limits.z_score) return text("loss", loss, state_.loss.mean, of_loss);
  if (of_norm > limits.z_score)
    return text("gradient norm", std::exp(log_norm), std::exp(state_.log_gradient_norm.mean),
                of_norm);
  return std::nullopt;
}

StepJudgement StepGuard::judge_nonfinite(int64_t step, double loss, double gradient_norm) {
  const auto text = [](const char* what, double value) {
    return std::isnan(value) ? cat(what, " is not a number (NaN)")
                             : cat(what, std::isinf(value) ? " is infinite" : " is finite");
  };
  const std::string found = cat("step ", step + 1, " is not finite: its ", text("loss", loss),
                                ", its ", text("gradient norm", gradient_norm));
  ++state_.nonfinite_in_a_row;
  if (state_.nonfinite_in_a_row > config_.skip_nonfinite) {
    const int64_t before = state_.nonfinite_in_a_row - 1;
    throw CollectiveError(
        ExitCode::kNumeric,
        cat(found, "; nothing was updated",
            before == 0 ? ""
                        : cat(", as in the ", counted(before, "step"),
                              " before (train.skip_nonfinite = ", config_.skip_nonfinite, ")"),
            ". Lower optimizer.lr, or begin another run from an earlier checkpoint with "
            "run.resume=PATH"));
  }
  return {Verdict::kSkip, cat(found, "; its update is skipped (train.skip_nonfinite)")};
}

StepJudgement StepGuard::judge(int64_t step, double loss, double gradient_norm) {
  // Optimizers keep squares of gradients in fp32, where larger ones are infinite.
  constexpr double kLargestNorm = 1e18;
  if (config_.clip_grad_norm == 0 && gradient_norm > kLargestNorm) gradient_norm = HUGE_VAL;
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm))
    return judge_nonfinite(step, loss, gradient_norm);
  state_.nonfinite_in_a_row = 0;
  constexpr double kSmallestNorm = 1e-30;
  const double log_norm = std::log(std::max(gradient_norm, kSmallestNorm));
  const SpikeConfig& limits = config_.spikes;
  const std::optional<std::string> found = spike(loss, log_norm);
  add_limited(state_.loss, loss, least_deviation(state_.loss), limits);
  add_limited(state_.log_gradient_norm, log_norm, kLeastOfLogNorm, limits);
  if (!found) return {};
  const std::string what = cat("step ", step + 1, " has ", *found);
  switch (limits.policy) {
    case SpikePolicy::kWarn:
      return {Verdict::kUpdate, what, /*is_spike=*/true};
    case SpikePolicy::kSkip:
      return {Verdict::kSkip, cat(what, "; its update is skipped (train.spikes)"),
              /*is_spike=*/true};
    case SpikePolicy::kRollBack:
      break;
  }
  if (state_.num_roll_backs >= limits.max_roll_backs) {
    throw CollectiveError(
        ExitCode::kNumeric,
        cat(what, " after ", counted(state_.num_roll_backs, "roll-back"),
            " (train.spikes.max_roll_backs); nothing was updated. Lower optimizer.lr, raise "
            "train.spikes.z_score, or take train.spikes.policy=skip"));
  }
  return {Verdict::kRollBack, what, /*is_spike=*/true};
}

}  // namespace lmtrain
