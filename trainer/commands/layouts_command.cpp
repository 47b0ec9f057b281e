// layouts: what a config could run in.
#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "trainer/commands/command.h"
#include "trainer/commands/machine_option.h"
#include "trainer/config/resolve_task.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;
  std::string machine = kThisNode;
  size_t most = 12;
};

void print_question(const LoadedConfig& loaded, int64_t vocab_size, const Options& options,
                    const MachineSpec& machine) {
  const Config& config = loaded.config;
  std::cout << loaded.name << ": " << config.model.kind << " of "
            << with_commas(sizes_of(config.model, vocab_size).num_parameters) << " parameters, "
            << config.train.global_batch_size << " sequences of " << config.data.sequence_length
            << " tokens a step in micro-batches of " << config.train.micro_batch_size << ", "
            << config.train.precision << "\n"
            << counted(options.ranks, "rank") << " on " << machine.description << "; each has "
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
  loaded.config.model = with_some_labels(loaded.config);
  const Config& config = loaded.config;
  if (const auto problem = find_problem(config.model))
    throw ConfigError(cat(loaded.name, ": ", problem->text));
  loaded.config.train.precision = resolved_precision(options.machine, config.train.precision);
  const int64_t vocab_size =
      std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  const MachineSpec machine = machine_of(options.machine, config, options.ranks);
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

}  // namespace

Command add_layouts(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "layouts", "List a config's layouts with memory, communication and time of a step");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  app->add_option("--ranks", options->ranks, "Ranks of the job")
      ->required()
      ->check(CLI::Range(1, 1 << 16));
  add_machine_option(app, options->machine);
  app->add_option("--most", options->most, "Lines to show")->capture_default_str();
  return {.app = app,
          .examples = {"lmtrain layouts configs/gpt2-small.yaml --ranks 4",
                       "lmtrain layouts configs/llama-8b.yaml --ranks 16 --machine h100"},
          .synonyms = {config_words(),
                       ranks_words(),
                       machine_words(),
                       {{"limit", "top", "max", "count"}, {"--most"}, ""}},
          .run = run_with(options, show_layouts)};
}

}  // namespace lmtrain
