#include "trainer/verify/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include <ATen/ATen.h>

#include "base/machine_memory.h"
#include "base/text.h"
#include "parallel/compute.h"
#include "parallel/rank_work.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/choose_layout.h"
#include "trainer/planning/feasibility.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/start/run_data.h"

namespace lmtrain {
namespace {

constexpr const char* kOfOneRank = "largest of one rank, samples in another order";
constexpr double kLimitInDouble = 1e-9;
constexpr double kSpreads = 3.0;
// Of the norm of gradients, a share of it, below fp64.
constexpr double kNormLimit = 3e-2;

// What the tensor axis adds below fp64 within a few steps: a share of a tensor's largest gradient,
// of a loss, which is a mean of many, and of what all steps together can move a weight: where a
// gradient is nearly zero, its rounding is most of what the optimizer takes from it. A sum that is
// missing or doubled is off by more.
struct Allowance {
  double of_gradient;
  double of_loss;
  double of_updates;
};
Allowance allowance_of(const std::string& precision) {
  if (precision == "bf16") return {0x1p-6, 0x1p-11, 2.0};
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

LayoutRunInput input_of(const RunData& data, const Config& config, int64_t num_tokens,
                        at::Device device, int64_t num_steps) {
  LayoutRunInput input;
  input.train = data.train.get();
  input.validation = data.validation.get();
  // One sample more than a global batch, so that the last batch is a part of one.
  input.num_validation_samples =
      std::min(data.num_validation_samples, config.train.global_batch_size + 1);
  input.num_tokens = num_tokens;
  input.device = device;
  input.num_steps = num_steps;
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

// Collects what is further off than it may be.
class Judgement {
 public:
  explicit Judgement(const std::string& precision) : in_double_(precision == "fp64") {}

  // `allowed` counts below fp64.
  void check(const std::string& what, double difference, double allowed) {
    const double limit = in_double_ ? kLimitInDouble : allowed;
    if (difference <= limit) return;  // not where it is no number
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
    return {true, in_double_ ? "equal within 1e-9" : "equal but for rounding"};
  }

 private:
  static constexpr int kMostNamed = 3;
  bool in_double_;
  int num_found_ = 0;
  std::string reason_;
};

}  // namespace

LayoutVerdict judge(const LayoutDifference& found, const LayoutDifference& spread,
                    const std::string& precision) {
  Judgement judgement(precision);
  judgement.check("losses differ", found.loss, kSpreads * spread.loss);
  judgement.check("gradients differ", found.gradient, kSpreads * spread.gradient);
  judgement.check("weights differ", found.weight, kSpreads * spread.weight);
  judgement.check_norms(found, spread);
  return judgement.verdict(found);
}

LayoutVerdict judge_each(const LayoutDifference& found, const LayoutDifference& spread,
                         const std::string& precision) {
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

// What the runs that are compared leave on the host, a copy on its way to rank 0 included: weights
// and gradients of each.
void check_host_memory(const LoadedConfig& loaded, const Config& config) {
  constexpr int64_t kRuns = 2 + 2 * kPermutations;
  const int64_t need = kRuns * 2 * master_element_bytes(config.train.precision) *
                       num_parameters(config.model, config.model.vocab_size);
  const AvailableMemory memory = available_memory();
  if (need <= memory.bytes) return;
  throw ConfigError(cat(loaded.name, ": to compare runs of this model rank 0 needs ",
                        human_bytes(need), ", but there are ", human_bytes(memory.bytes), " (",
                        memory.limited_by,
                        "); verify the same layout with fewer layers (model.num_layers)"));
}

}  // namespace

ExitCode verify_layout(const LoadedConfig& given, int64_t num_steps, Launch& launch) {
  LoadedConfig loaded = given;
  std::optional<InitialModel> initial;
  launch.together([&] { initial = adopt_initial_model(loaded); });
  const Compute compute = set_up_compute(loaded.config.parallel, launch);
  choose_layout(loaded, compute, launch);
  launch.together([&] { check_before_data(loaded, launch.size()); });
  Config config = loaded.config;
  const RunData data = open_run_data(config, compute.num_threads * launch.local_size(), launch);
  const int64_t num_tokens =
      std::max(data.prepared.tokenizer.vocab_size(), initial ? initial->num_tokens : 0);
  launch.together([&] {
    if (config.model.vocab_size == 0) config.model.vocab_size = num_tokens;
    const auto check = [&](const Config& run, int ranks, int ranks_on_node) {
      check_before_training(loaded, run, num_tokens, data.train->num_samples(), ranks,
                            ranks_on_node, compute.device.free_memory_bytes);
    };
    check(config, launch.size(), launch.local_size());
    // One rank needs the whole model, and so do those that run it beside.
    Config one = on_one_rank(config);
    one.train.micro_batch_size = largest_permuted_micro_batch(one.train);
    check(one, 1, std::min(1 + kPermutations, launch.local_size()));
    check_host_memory(loaded, config);
  });
  LayoutRunInput input = input_of(data, config, num_tokens, compute.device.device, num_steps);
  if (initial) {
    input.load_weights = [&](ParameterStore& store) { load_initial_weights(*initial, store); };
  }

  if (launch.rank() == 0) {
    std::printf("%s, %s, %ld steps of %ld samples\none rank against %d: %s\n", loaded.name.c_str(),
                config.train.precision.c_str(), num_steps, config.train.global_batch_size,
                launch.size(), layout_text(config.parallel, launch.size()).c_str());
    std::fflush(stdout);
  }
  const Reference one = make_reference(on_one_rank(config), input, launch.world());

  launch.world().set_timeout(config.parallel.timeout_seconds);
  const std::unique_ptr<Communicator> device_world =
      make_device_communicator(launch, compute.device, config.parallel.transport);
  Mesh mesh(launch.world(), device_world ? *device_world : launch.world(),
            static_cast<int>(config.parallel.tensor), config.parallel.check);
  // The groups that are made here outlive a failure of this rank alone.
  const LayoutRun cut = work_or_end_job(launch, [&] { return run_layout(config, input, mesh); });
  bool is_equal = true;
  if (launch.rank() == 0) {
    const LayoutDifference found = difference(cut, one.run);
    const LayoutDifference& spread = one.spread_of(config.parallel);
    const LayoutVerdict verdict = judge_each(found, spread, config.train.precision);
    print_differences(found, spread);
    std::printf("\n%s: %s\n", verdict.is_equal ? "EQUAL" : "DIFFERENT", verdict.reason.c_str());
    std::fflush(stdout);
    is_equal = verdict.is_equal;
  }
  return launch.any(!is_equal) ? ExitCode::kNumeric : ExitCode::kDone;
}

}  // namespace lmtrain
