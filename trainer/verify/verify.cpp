#include "trainer/verify/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include <ATen/ATen.h>

#include "base/machine_memory.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "parallel/compute.h"
#include "parallel/rank_work.h"
#include "trainer/planning/feasibility.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/start/job.h"

namespace lmtrain {
namespace {

constexpr const char* kOfOneRank = "largest of one rank, samples in another order";
constexpr double kLimitInDouble = 1e-9;
constexpr double kSpreads = 3.0;
// How far the norm of gradients may be off below fp64, as a share of it.
constexpr double kNormLimit = 3e-2;

// The rounding that the tensor axis adds below fp64 within a few steps, as shares: of a tensor's
// largest gradient, of the loss (a mean of many values), and of the largest change that all steps
// together can make to a weight. That last share is large because an optimizer divides by the size
// of the gradient: where a gradient is nearly zero, its rounding decides the update. A sum that is
// missing or doubled changes much more than this.
struct Allowance {
  double of_gradient;
  double of_loss;
  double of_updates;
};
Allowance allowance_of(Precision precision) {
  if (precision == Precision::kBf16) return {0x1p-6, 0x1p-11, 2.0};
  return {0x1p-14, 0x1p-18, 0x1p-4};
}
// Master weights are fp32.
constexpr double kRoundingsOfWeights = 4.0 * 0x1p-24;

std::string scientific(double value) {
  std::string text(32, '\0');
  const int length = std::snprintf(text.data(), text.size(), "%.2e", value);
  text.resize(static_cast<size_t>(length));
  return text;
}

std::string padded(std::string text, size_t width, bool to_right = false) {
  const size_t fill = width - std::min(width, text.size());
  return to_right ? std::string(fill, ' ') + text : text + std::string(fill, ' ');
}

void print_line(const std::string& name, size_t width, const std::vector<double>& values) {
  std::string line = padded(name, width);
  for (const double value : values) line += padded(scientific(value), 12, /*to_right=*/true);
  std::printf("%s\n", line.c_str());
}

void print_differences(const LayoutDifference& found, const LayoutDifference& spread) {
  size_t width = std::string(kOfOneRank).size();
  for (const auto& tensor : found.tensors) width = std::max(width, tensor.name.size());
  std::printf("\nlargest absolute differences\n%s%s%s\n", padded("tensor", width).c_str(),
              padded("gradient", 12, true).c_str(), padded("weight", 12, true).c_str());
  for (const auto& tensor : found.tensors)
    print_line(tensor.name, width, {tensor.gradient, tensor.weight});
  std::printf("\n%s%s%s%s\n", padded("", width).c_str(), padded("gradient", 12, true).c_str(),
              padded("weight", 12, true).c_str(), padded("loss", 12, true).c_str());
  print_line("largest of this layout", width, {found.gradient, found.weight, found.loss});
  print_line(kOfOneRank, width, {spread.gradient, spread.weight, spread.loss});
}

LayoutRunInput input_of(const Job& job, int64_t num_steps) {
  LayoutRunInput input;
  input.train = job.data.train.get();
  input.validation = job.data.validation.get();
  // One sample more than a global batch, so that the last batch is a part of one.
  input.num_validation_samples =
      std::min(job.data.num_validation_samples, job.config().train.global_batch_size + 1);
  input.num_tokens = job.num_tokens;
  input.device = job.compute.device.device;
  input.num_steps = num_steps;
  if (job.initial) {
    input.load_weights = [&job](ParameterStore& store) {
      load_initial_weights(*job.initial, job.config().model, store);
    };
  }
  return input;
}

}  // namespace

Config on_one_rank(Config config) {
  const ParallelConfig given = config.parallel;
  config.parallel = {};
  config.parallel.threads = given.threads;
  config.parallel.device = given.device;
  return config;
}

namespace {

// Collects the differences that are larger than allowed.
class Judgement {
 public:
  explicit Judgement(Precision precision) : in_double_(precision == Precision::kFp64) {}

  // `allowed` is the limit below fp64.
  void check(const std::string& what, double difference, double allowed) {
    const double limit = in_double_ && !std::isinf(allowed) ? kLimitInDouble : allowed;
    if (difference <= limit) return;  // false for NaN, which is reported
    if (++num_found_ > kMostNamed) return;
    reason_ += cat(reason_.empty() ? "" : "; ", what, " by ", scientific(difference),
                   ", more than ", scientific(limit));
  }

  void check_norms(const LayoutDifference& found, const LayoutDifference& spread) {
    check("norms of gradients differ", found.gradient_norm,
          std::max(kNormLimit, kSpreads * spread.gradient_norm));
  }

  LayoutVerdict verdict(const LayoutDifference& found) const {
    if (!found.is_same_data) return {false, "the ranks read other samples than one rank"};
    if (num_found_ > kMostNamed)
      return {false, cat(reason_, "; and ", num_found_ - kMostNamed, " more")};
    if (num_found_ > 0) return {false, reason_};
    if (found.is_zero()) return {true, "equal to the bit"};
    const std::string said = in_double_ ? "equal within 1e-9" : "equal but for rounding";
    const int64_t unbounded = found.num_unbounded();
    if (unbounded == 0) return {true, said};
    return {true, cat(said, ", without the weights of ", unbounded, " of ", found.tensors.size(),
                      " tensors, whose updates have no bound to compare them by")};
  }

 private:
  static constexpr int kMostNamed = 3;
  bool in_double_;
  int num_found_ = 0;
  std::string reason_;
};

}  // namespace

LayoutVerdict judge(const LayoutDifference& found, const LayoutDifference& spread,
                    Precision precision) {
  Judgement judgement(precision);
  judgement.check("losses differ", found.loss, kSpreads * spread.loss);
  judgement.check("gradients differ", found.gradient, kSpreads * spread.gradient);
  judgement.check("weights differ", found.bounded_weight(), kSpreads * spread.weight);
  judgement.check_norms(found, spread);
  return judgement.verdict(found);
}

LayoutVerdict judge_each(const LayoutDifference& found, const LayoutDifference& spread,
                         Precision precision) {
  const Allowance allowance = allowance_of(precision);
  std::map<std::string, LayoutDifference::OfTensor> spreads;
  for (const auto& tensor : spread.tensors) spreads[tensor.name] = tensor;
  Judgement judgement(precision);
  judgement.check("losses differ", found.loss,
                  std::max(kSpreads * spread.loss, allowance.of_loss * found.loss_size));
  judgement.check_norms(found, spread);
  for (const auto& tensor : found.tensors) {
    const LayoutDifference::OfTensor of_spread = spreads[tensor.name];
    judgement.check(
        cat("gradients of ", tensor.name, " differ"), tensor.gradient,
        std::max(kSpreads * of_spread.gradient, allowance.of_gradient * tensor.gradient_size));
    judgement.check(
        cat("weights of ", tensor.name, " differ"), tensor.weight,
        std::max(kSpreads * of_spread.weight, allowance.of_updates * tensor.largest_update +
                                                  kRoundingsOfWeights * tensor.weight_size));
  }
  return judgement.verdict(found);
}

namespace {

// Checks the host's memory for what the compared runs leave there: weights and gradients of each
// run, and of the copy that is being sent to rank 0.
void check_host_memory(const LoadedConfig& loaded, const Config& config) {
  constexpr int64_t kRuns = 2 + 2 * kPermutations;
  const int64_t need = kRuns * 2 * master_element_bytes(config.train.precision) *
                       sizes_of(config.model, config.model.vocab_size).num_parameters;
  const AvailableMemory memory = available_memory();
  if (need <= memory.bytes) return;
  throw ConfigError(cat(loaded.name, ": to compare runs of this model rank 0 needs ",
                        human_bytes(need), ", but there are ", human_bytes(memory.bytes), " (",
                        memory.limited_by,
                        "); verify the same layout with fewer layers (model.num_layers)"));
}

// That one rank can train the whole model, and rank 0 compare all runs.
void check_for_one_rank(const Job& job, const Launch& launch) {
  // Those that run it beside rank 0 need the whole model too.
  const int ranks_on_node = std::min(1 + kPermutations, launch.local_size());
  Config one = on_one_rank(job.config());
  one.train.micro_batch_size = largest_permuted_micro_batch(one.train);
  check_before_training(job.loaded, one, job.num_tokens, job.data.train->num_samples(), 1,
                        ranks_on_node, job.compute.device.free_memory_bytes);
  check_host_memory(job.loaded, job.config());
}

void print_subject(const Job& job, int64_t num_steps, const Launch& launch) {
  const Config& config = job.config();
  std::printf("%s, %s, %ld steps of %ld samples\none rank against %d: %s\n",
              job.loaded.name.c_str(), cat(config.train.precision).c_str(), num_steps,
              config.train.global_batch_size, launch.size(),
              layout_text(config.parallel, launch.size()).c_str());
  std::fflush(stdout);
}

// Whether they are equal but for rounding.
bool print_verdict(const LayoutRun& cut, const Reference& one, const Config& config) {
  const LayoutDifference found = difference(cut, one.run);
  const LayoutDifference& spread = one.spread_of(config.parallel);
  const LayoutVerdict verdict = judge_each(found, spread, config.train.precision);
  print_differences(found, spread);
  std::printf("\n%s: %s\n", verdict.is_equal ? "EQUAL" : "DIFFERENT", verdict.reason.c_str());
  std::fflush(stdout);
  return verdict.is_equal;
}

}  // namespace

ExitCode verify_layout(const LoadedConfig& given, int64_t num_steps, Launch& launch) {
  JobChecks checks;
  checks.with_data = [&](const Job& job) { check_for_one_rank(job, launch); };
  PhaseTracker phases;
  const std::optional<Job> job = start_job(given, checks, phases, launch);
  const Config& config = job->config();
  const LayoutRunInput input = input_of(*job, num_steps);
  if (launch.rank() == 0) print_subject(*job, num_steps, launch);
  const Reference one = make_reference(on_one_rank(config), input, launch.world());

  watch(config.parallel, launch);
  const std::unique_ptr<Communicator> device_world =
      make_device_communicator(launch, job->compute.device, config.parallel.transport);
  Mesh mesh = make_mesh(config.parallel, device_world.get(), launch);
  // The groups that are made here outlive a failure of this rank alone.
  const LayoutRun cut = work_or_end_job(launch, [&] { return run_layout(config, input, mesh); });
  const bool is_equal = launch.rank() != 0 || print_verdict(cut, one, config);
  return launch.any(!is_equal) ? ExitCode::kNumeric : ExitCode::kDone;
}

}  // namespace lmtrain
