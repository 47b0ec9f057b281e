// plan-checkpoints: what saves and failures will cost a run.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/text.h"
#include "parallel/precision.h"
#include "trainer/commands/command.h"
#include "trainer/commands/machine_option.h"
#include "trainer/commands/text_table.h"
#include "trainer/config/resolve_task.h"
#include "trainer/config/run_folder.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/goodput.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/run/measured_times.h"
#include "trainer/run/save_schedule.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;
  std::optional<double> mtbf_hours;  // none: the config's
  double step_seconds = 0;
  double write_mib_per_second = 250;
  double copy_gib_per_second = 5;
  double detect_seconds = 34;
  double restart_seconds = 60;
  std::string run;
};

// What a step and a save take, in seconds, and where that is from.
struct Times {
  double step = 0;
  double stall = 0;
  double work = 0;     // of a save, without rests
  double persist = 0;  // until it counts
  std::string source;
};

// As a run has measured them. `bytes` are those of the config's checkpoints.
Times times_of_run(const std::string& run, const Config& config, double bytes) {
  const RunFolder folder{run};
  const MeasuredTimes times = measured_times(folder);
  if (std::filesystem::exists(folder.config())) {
    const Config of_run = load_config(folder.config(), {}).config;
    for (const ConfigChange& change : config_changes(values_of(of_run), values_of(config))) {
      if (!change.key.starts_with("model.") || change.key == "model.init_from" ||
          change.key == "model.vocab_size")
        continue;
      throw ConfigError(cat("--run ", run, " is of another model: ", change.key, " is ",
                            change.before, " there, and ", change.now, " in the config"));
    }
  }
  if (times.num_steps == 0 || times.num_saves == 0)
    throw DataError(cat(run, " has no steps and saves on record yet"));
  constexpr double kFrame = 1 << 20;  // what the files hold besides tensors
  if (std::abs(times.checkpoint_bytes - bytes) > 0.05 * bytes + kFrame) {
    throw ConfigError(cat("--run ", run, " is of another model: its checkpoints have ",
                          human_bytes(std::llround(times.checkpoint_bytes)), ", the config's ",
                          human_bytes(std::llround(bytes))));
  }
  return {times.step, times.stall, times.work, times.persist,
          cat("medians of ", counted(times.num_steps, "step"), " and ",
              counted(times.num_saves, "save"), " of ", run)};
}

Times estimated_times(const Options& options, double bytes_of_rank, bool is_asynchronous) {
  if (options.step_seconds == 0)
    throw ConfigError(
        "--step-seconds or --run is required: lmtrain layouts estimates the time of a step, and a "
        "run has measured it");
  const double copy = bytes_of_rank / (options.copy_gib_per_second * (1 << 30));
  const double write = bytes_of_rank / (options.write_mib_per_second * (1 << 20));
  return {options.step_seconds, is_asynchronous ? copy : write, write, write,
          "estimated by the rates"};
}

// So many steps that the interval is near to `seconds`, one at the least.
int64_t steps_near(double seconds, double step_seconds) {
  return std::max<int64_t>(1, std::llround(seconds / step_seconds));
}

// "0.3 ms", "2.5 s", "1h02m".
std::string time_text(double seconds) {
  if (seconds < 1) return cat(fixed(1000 * seconds, 1), " ms");
  return seconds < 100 ? cat(fixed(seconds, 1), " s") : human_duration(seconds);
}

std::string percent(double share) { return cat(fixed(100 * share, share < 0.001 ? 3 : 2), "%"); }

std::string goodput_table(FailureModel model, const Times& times,
                          const CheckpointConfig& checkpoint, int64_t automatic) {
  std::vector<int64_t> intervals = {std::max<int64_t>(1, automatic / 4), automatic, automatic * 4,
                                    automatic * 16};
  const int64_t of_config = checkpoint.interval.value_or(automatic);
  if (of_config > 0) intervals.push_back(of_config);
  std::ranges::sort(intervals);
  intervals.erase(std::unique(intervals.begin(), intervals.end()), intervals.end());
  std::vector<std::vector<std::string>> rows = {
      {"interval", "", "goodput", "lost work", "stalls", "restarts", ""}};
  for (const int64_t steps : intervals) {
    const double seconds = static_cast<double>(steps) * times.step;
    // One save is waited for before the next begins.
    model.stall = std::max(times.stall, times.persist - seconds);
    const Goodput goodput = expected_goodput(model, seconds);
    std::vector<std::string> remarks;
    if (steps == automatic) remarks.emplace_back("checkpoint.interval=auto");
    if (steps == of_config) remarks.emplace_back("the config's");
    rows.push_back({counted(steps, "step"), time_text(seconds), percent(goodput.useful),
                    percent(goodput.repeated), percent(goodput.stalled),
                    percent(goodput.restarting), join(remarks, ", ")});
  }
  std::string text;
  for (const std::string& line : table_lines(rows)) text += line + "\n";
  return text;
}

void plan_checkpoints(const Options& options) {
  LoadedConfig loaded = load_config(options.config.path, options.config.settings);
  const auto initial = adopt_initial_model(loaded);
  loaded.config.model = with_some_labels(loaded.config);
  Config& config = loaded.config;
  const int64_t vocab_size =
      std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  if (config.train.precision == Precision::kAuto) config.train.precision = Precision::kBf16;
  const auto bytes = static_cast<double>(checkpoint_bytes(config, vocab_size));
  const double bytes_of_rank = bytes / static_cast<double>(options.ranks);
  const Times times = options.run.empty()
                          ? estimated_times(options, bytes_of_rank, config.checkpoint.asynchronous)
                          : times_of_run(options.run, config, bytes);
  const double mtbf = 3600 * options.mtbf_hours.value_or(config.checkpoint.mtbf_hours);
  const FailureModel model = {mtbf, times.stall, times.persist, options.detect_seconds,
                              options.restart_seconds};
  // As a run chooses it (trainer/run/save_schedule.h).
  const int64_t automatic =
      steps_near(best_save_interval(times.work, times.persist, mtbf), times.step);
  std::cout << loaded.name << ": checkpoints of " << human_bytes(std::llround(bytes)) << ", "
            << human_bytes(std::llround(bytes_of_rank)) << " for each of "
            << counted(options.ranks, "rank") << "\n"
            << "A step takes " << time_text(times.step) << ". A save stalls training for "
            << time_text(times.stall) << " and is durable after " << time_text(times.persist)
            << " (" << times.source << ").\n"
            << "Failures come every " << time_text(mtbf) << " on average, are found within "
            << time_text(options.detect_seconds) << ", and a restart takes "
            << time_text(options.restart_seconds) << ".\n\n"
            << goodput_table(model, times, config.checkpoint, automatic)
            << "\nThis is a model, not a measurement: failures are random and saves evenly "
               "spaced.\n";
}

}  // namespace

Command add_plan_checkpoints(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "plan-checkpoints", "Estimate what checkpoints and failures cost, for several intervals");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  const auto above_zero = number_range(1e-6, 1e12);
  app->add_option("--ranks", options->ranks, "Ranks of the job")
      ->required()
      ->check(CLI::Range(1, 1 << 16));
  app->add_option("--mtbf", options->mtbf_hours,
                  "Mean hours between two failures of the job; else the config's "
                  "checkpoint.mtbf_hours")
      ->check(above_zero);
  auto* const run = app->add_option(
      "--run", options->run,
      "Folder of a run of this model whose steps and saves were measured, in place of the next three");
  app->add_option("--step-seconds", options->step_seconds,
                  "Seconds of a step; this or --run is required")
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
                  "Seconds from the end of the job to its next step, with the time in the queue")
      ->check(number_range(0, 1e9))
      ->capture_default_str();
  return {.app = app,
          .examples = {"lmtrain plan-checkpoints configs/gpt2-small.yaml --ranks 32 --mtbf 12 "
                       "--step-seconds 1.5",
                       "lmtrain plan-checkpoints configs/quickstart.yaml --ranks 2 --run "
                       "runs/quickstart"},
          .synonyms = {config_words(),
                       ranks_words(),
                       {{"mtbf_hours", "failure_hours", "failures"}, {"--mtbf"}, ""}},
          .run = run_with(options, plan_checkpoints)};
}

}  // namespace lmtrain
