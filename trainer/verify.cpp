#include "trainer/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include <ATen/ATen.h>

#include "base/text.h"
#include "trainer/choose_layout.h"
#include "trainer/compute.h"
#include "trainer/feasibility.h"
#include "trainer/interchange.h"
#include "trainer/layouts.h"
#include "trainer/run_data.h"

namespace lmtrain {
namespace {

constexpr double kLimitInDouble = 1e-9;
constexpr double kSpreads = 3.0;
// Of the largest value, where a user's config is looked at; the tests of layouts do without.
constexpr double kRoundingsInSingle = 64.0;
constexpr double kRoundingsInBf16 = 8.0;

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
  size_t width = std::string("largest of one rank, samples in another order").size();
  for (const auto& tensor : found.tensors) width = std::max(width, tensor.name.size());
  std::printf("\nlargest absolute differences\n%s%s%s\n", padded("tensor", width).c_str(),
              padded("gradient", 12, true).c_str(), padded("weight", 12, true).c_str());
  for (const auto& tensor : found.tensors)
    print_line(tensor.name, width, {tensor.gradient, tensor.weight});
  std::printf("\n%s%s%s%s\n", padded("", width).c_str(), padded("gradient", 12, true).c_str(),
              padded("weight", 12, true).c_str(), padded("loss", 12, true).c_str());
  print_line("largest of this layout", width, {found.gradient, found.weight, found.loss});
  print_line("largest of one rank, samples in another order", width,
             {spread.gradient, spread.weight, spread.loss});
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

LayoutVerdict judge(const LayoutDifference& found, const LayoutDifference& spread,
                    const std::string& precision, double num_roundings) {
  if (!found.is_same_data) return {false, "the ranks read other samples than one rank"};
  if (found.is_zero()) return {true, "equal to the bit"};
  const bool in_double = precision == "fp64";
  std::string worst;
  const double rounding = precision == "bf16" ? 0x1p-9 : 0x1p-24;
  const auto check = [&](const char* what, double difference, double of_spread, double size) {
    const double limit = in_double
                             ? kLimitInDouble
                             : std::max(kSpreads * of_spread, num_roundings * rounding * size);
    if (difference <= limit) return;
    worst += cat(worst.empty() ? "" : "; ", what, " differ by ", scientific(difference),
                 ", more than ", scientific(limit));
  };
  check("losses", found.loss, spread.loss, found.loss_size);
  check("gradients", found.gradient, spread.gradient, found.gradient_size);
  check("weights", found.weight, spread.weight, found.weight_size);
  if (!worst.empty()) return {false, worst};
  return {true, in_double ? "equal within 1e-9" : "equal but for rounding"};
}

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
    check(on_one_rank(config), 1, std::min(1 + kMostPermutations, launch.local_size()));
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
  const LayoutRun cut = run_layout(config, input, mesh);
  bool is_equal = true;
  if (launch.rank() == 0) {
    const LayoutDifference found = difference(cut, one.run);
    const LayoutVerdict verdict =
        judge(found, one.spread, config.train.precision,
              config.train.precision == "bf16" ? kRoundingsInBf16 : kRoundingsInSingle);
    print_differences(found, one.spread);
    std::printf("\n%s: %s\n", verdict.is_equal ? "EQUAL" : "DIFFERENT", verdict.reason.c_str());
    std::fflush(stdout);
    is_equal = verdict.is_equal;
  }
  return launch.any(!is_equal) ? ExitCode::kNumeric : ExitCode::kDone;
}

}  // namespace lmtrain
