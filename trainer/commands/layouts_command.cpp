// layouts: what a config could run in.
#include <algorithm>
#include <iostream>

#include <ATen/Parallel.h>

#include "base/error.h"
#include "base/machine_memory.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "parallel/precision.h"
#include "trainer/commands/command.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/choose_precision.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {
namespace {

constexpr const char* kThisNode = "cpu";

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;
  std::string machine = kThisNode;
  size_t most = 12;
};

// Every known machine has GPUs, which are faster in bf16.
Precision resolved_precision(const Options& options, Precision precision) {
  if (precision != Precision::kAuto) return precision;
  return options.machine == kThisNode ? faster_precision(at::kCPU) : Precision::kBf16;
}

MachineSpec machine_of(const Options& options, const Config& config) {
  if (options.machine != kThisNode) return known_machine(options.machine);
  return cores_of_node(
      measure_matmul_ceiling(compute_type_of(config.train.precision), at::kCPU).flops,
      available_memory().bytes, options.ranks);
}

void print_question(const LoadedConfig& loaded, int64_t vocab_size, const Options& options,
                    const MachineSpec& machine) {
  const Config& config = loaded.config;
  std::cout << loaded.name << ": " << config.model.kind << " of "
            << with_commas(sizes_of(config.model, vocab_size).num_parameters) << " parameters, "
            << config.train.global_batch_size << " sequences of " << config.data.sequence_length
            << " tokens a step in micro-batches of " << config.train.micro_batch_size << ", "
            << config.train.precision << "\n"
            << options.ranks << " ranks on " << machine.description << "; each has "
            << human_bytes(machine.memory_bytes) << ", computes " << fixed(machine.flops / 1e9, 0)
            << " GFLOP/s in a step and sends " << fixed(machine.node_bandwidth / 1e9, 1)
            << " GB/s\n";
}

void print_answer(const std::vector<LayoutPlan>& plans, size_t most) {
  const auto fitting =
      std::count_if(plans.begin(), plans.end(), [](const LayoutPlan& p) { return p.fits; });
  std::cout << fitting << " of " << plans.size() << " layouts fit"
            << (fitting == 0 ? "; those of least memory first" : "; the fastest first")
            << " (estimates; sent: over data axis + over tensor axis)\n\n"
            << layout_table(plans, most);
  if (fitting == 0)
    std::cout << "\n! does not fit; lower train.micro_batch_size or take more ranks\n";
}

void show_layouts(const Options& options) {
  LoadedConfig loaded = load_config(options.config.path, options.config.settings);
  const auto initial = adopt_initial_model(loaded);
  const Config& config = loaded.config;
  if (const auto problem = find_problem(config.model))
    throw ConfigError(cat(loaded.name, ": ", problem->text));
  if (options.machine == kThisNode) at::set_num_threads(static_cast<int>(job_cores().size()));
  loaded.config.train.precision = resolved_precision(options, config.train.precision);
  const int64_t vocab_size =
      std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  const MachineSpec machine = machine_of(options, config);
  const std::vector<LayoutPlan> plans = plan_layouts(config, vocab_size, options.ranks, machine);
  if (plans.empty()) {
    throw ConfigError(cat(
        loaded.name, ": no layout of ", options.ranks,
        " ranks divides train.global_batch_size = ", config.train.global_batch_size,
        ", train.micro_batch_size = ", config.train.micro_batch_size, " and the model's heads"));
  }
  print_question(loaded, vocab_size, options, machine);
  print_answer(plans, options.most);
}

std::vector<std::string> machine_names() {
  std::vector<std::string> names = known_machines();
  names.insert(names.begin(), kThisNode);
  return names;
}

}  // namespace

Command add_layouts(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "layouts", "List a config's layouts with memory, communication and time of a step");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  app->add_option("--ranks", options->ranks, "Ranks of the job")
      ->required()
      ->check(CLI::Range(1, 1 << 16));
  app->add_option("--machine", options->machine,
                  cat("What the ranks run on: ", join(machine_names(), ", "), " (", kThisNode,
                      " is this node's cores)"))
      ->check(CLI::IsMember(machine_names()))
      ->capture_default_str();
  app->add_option("--most", options->most, "Lines to show")->capture_default_str();
  return {
      .app = app,
      .examples = {"lmtrain layouts configs/gpt2-small.yaml --ranks 4",
                   "lmtrain layouts configs/llama-8b.yaml --ranks 16 --machine h100"},
      .synonyms = {config_words(),
                   {{"n", "np", "num_ranks", "world_size", "gpus", "num_gpus"}, {"--ranks"}, ""},
                   {{"gpu", "device", "hardware", "accelerator"}, {"--machine"}, ""},
                   {{"limit", "top", "max", "count"}, {"--most"}, ""}},
      .run = run_with(options, show_layouts)};
}

}  // namespace lmtrain
