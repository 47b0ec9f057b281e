// plan-checkpoints: what saves and failures will cost a run.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "energy/run_facts.h"
#include "parallel/precision.h"
#include "trainer/commands/command.h"
#include "trainer/commands/text_table.h"
#include "trainer/config/run_folder.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/goodput.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/run/save_schedule.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;
  double mtbf_hours = 24.0;
  double step_seconds = 0;
  double write_mib_per_second = 250;
  double copy_gib_per_second = 5;
  double detect_seconds = 34;
  double restart_seconds = 60;
  std::string run;
};

// What a step and a save take, and where that is from.
struct Times {
  double step = 0;
  double stall = 0;
  double persist = 0;
  std::string source;
};

// As a run has measured them.
Times measured_times(const std::string& run) {
  const RunFolder folder{run};
  const std::optional<RunFacts> facts = load_run_facts(folder.facts());
  if (!facts) throw DataError(cat(run, " is not the folder of a run (it has no facts.json)"));
  if (!facts->saves || facts->saves->count == 0 || facts->steps == 0)
    throw DataError(cat(run, " has no steps and saves on record yet"));
  const auto count = static_cast<double>(facts->saves->count);
  return {facts->seconds / static_cast<double>(facts->steps), facts->saves->stall_seconds / count,
          facts->saves->persist_seconds / count, cat("as measured in ", run)};
}

Times estimated_times(const Options& options, double bytes_of_rank) {
  if (options.step_seconds == 0)
    throw ConfigError(
        "say how long a step takes, by --step-seconds (lmtrain layouts estimates it) or by --run "
        "with a run that has measured it");
  return {options.step_seconds, bytes_of_rank / (options.copy_gib_per_second * (1 << 30)),
          bytes_of_rank / (options.write_mib_per_second * (1 << 20)), "estimated by the rates"};
}

// So many steps that the distance is near to `seconds`, one at the least.
int64_t steps_near(double seconds, double step_seconds) {
  return std::max<int64_t>(1, std::llround(seconds / step_seconds));
}

std::string percent(double share) { return cat(fixed(100 * share, share < 0.001 ? 3 : 2), "%"); }

std::string goodput_table(const FailureModel& model, const Times& times,
                          const std::optional<int64_t>& of_config, int64_t best) {
  std::vector<int64_t> intervals = {std::max<int64_t>(1, best / 4), best, best * 4, best * 16};
  if (of_config && *of_config > 0) intervals.push_back(*of_config);
  std::ranges::sort(intervals);
  const auto repeated = std::ranges::unique(intervals);
  intervals.erase(repeated.begin(), repeated.end());
  std::vector<std::vector<std::string>> rows = {
      {"a save every", "", "goodput", "repeated", "standing still", "restarting", ""}};
  for (const int64_t steps : intervals) {
    const double seconds = static_cast<double>(steps) * times.step;
    const Goodput goodput = expected_goodput(model, seconds);
    std::string remark;
    if (steps == best) remark = "checkpoint.interval=auto";
    if (of_config == steps) remark += remark.empty() ? "the config's" : ", the config's";
    rows.push_back({counted(steps, "step"), human_duration(seconds), percent(goodput.useful),
                    percent(goodput.repeated), percent(goodput.stalled),
                    percent(goodput.restarting), remark});
  }
  std::string text;
  for (const std::string& line : table_lines(rows)) text += line + "\n";
  return text;
}

void plan_checkpoints(const Options& options) {
  LoadedConfig loaded = load_config(options.config.path, options.config.settings);
  const auto initial = adopt_initial_model(loaded);
  const Config& config = loaded.config;
  const int64_t vocab_size =
      std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  const Precision precision =
      config.train.precision == Precision::kAuto ? Precision::kBf16 : config.train.precision;
  const auto bytes =
      static_cast<double>(checkpoint_bytes(config.model, vocab_size, precision, config.optimizer));
  const double bytes_of_rank = bytes / static_cast<double>(options.ranks);
  const Times times =
      options.run.empty() ? estimated_times(options, bytes_of_rank) : measured_times(options.run);
  const FailureModel model = {3600 * options.mtbf_hours, times.stall, times.persist,
                              options.detect_seconds, options.restart_seconds};
  const double cost = config.checkpoint.asynchronous ? times.stall : times.persist;
  const int64_t best =
      steps_near(best_save_interval(std::max(cost, 1e-3), times.persist, model.mtbf), times.step);
  std::cout << loaded.name << ": checkpoints of " << human_bytes(static_cast<int64_t>(bytes))
            << ", " << human_bytes(static_cast<int64_t>(bytes_of_rank)) << " for each of "
            << counted(options.ranks, "rank") << "\n"
            << "A step takes " << fixed(times.step, 3)
            << " s; for a save training stands still for " << fixed(times.stall, 3)
            << " s, and it counts after " << fixed(times.persist, 1) << " s (" << times.source
            << ")\n"
            << "A failure comes every " << shortest(options.mtbf_hours)
            << " h on average, is found within " << fixed(options.detect_seconds, 0)
            << " s, and the job trains again " << fixed(options.restart_seconds, 0)
            << " s later\n\n"
            << goodput_table(model, times, config.checkpoint.interval, best)
            << "\nA model, not a measurement: failures at random, saves at equal distances.\n";
}

}  // namespace

Command add_plan_checkpoints(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "plan-checkpoints", "Estimate what saves and failures cost, by the distance of saves");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  const auto above_zero = number_range(1e-6, 1e12);
  app->add_option("--ranks", options->ranks, "Ranks of the job")
      ->required()
      ->check(CLI::Range(1, 1 << 16));
  app->add_option("--mtbf", options->mtbf_hours, "Mean hours between two failures of the job")
      ->check(above_zero)
      ->capture_default_str();
  auto* const run = app->add_option("--run", options->run,
                                    "A run whose steps and saves were measured, by its folder");
  app->add_option("--step-seconds", options->step_seconds, "Seconds of a step")
      ->check(above_zero)
      ->excludes(run);
  app->add_option("--write-rate", options->write_mib_per_second,
                  "MiB a second that a rank writes of a checkpoint")
      ->check(above_zero)
      ->excludes(run)
      ->capture_default_str();
  app->add_option("--copy-rate", options->copy_gib_per_second,
                  "GiB a second that a rank copies into memory before it writes")
      ->check(above_zero)
      ->excludes(run)
      ->capture_default_str();
  app->add_option("--detect-seconds", options->detect_seconds,
                  "Seconds from a failure to the end of the job; a rank that hangs takes longest")
      ->check(number_range(0, 1e9))
      ->capture_default_str();
  app->add_option("--restart-seconds", options->restart_seconds,
                  "Seconds from there to the first step, a queue's included")
      ->check(number_range(0, 1e9))
      ->capture_default_str();
  return {
      .app = app,
      .examples = {"lmtrain plan-checkpoints configs/gpt2-small.yaml --ranks 32 --mtbf 12 "
                   "--step-seconds 1.5",
                   "lmtrain plan-checkpoints configs/quickstart.yaml --ranks 2 --run "
                   "runs/quickstart"},
      .synonyms = {config_words(),
                   {{"n", "np", "num_ranks", "world_size", "gpus", "num_gpus"}, {"--ranks"}, ""},
                   {{"mtbf_hours", "failure_hours", "failures"}, {"--mtbf"}, ""}},
      .run = run_with(options, plan_checkpoints)};
}

}  // namespace lmtrain
