#include "trainer/run/calibrate.h"

#include <algorithm>
#include <filesystem>

#include <unistd.h>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/removed_at_end.h"
#include "base/text.h"
#include "energy/ledger/totals.h"
#include "energy/report/report.h"
#include "parallel/typed_gather.h"
#include "trainer/run/measured_times.h"
#include "trainer/run/run.h"

namespace lmtrain {
namespace {

// What later steps may differ from these by: a machine gets warm, saves run beside some of them.
constexpr double kFaster = 0.92;
constexpr double kSlower = 1.15;
// Of the power at work that a machine draws while it waits.
constexpr double kIdleShare = 0.15;

LoadedConfig for_calibration(const LoadedConfig& loaded, int64_t steps, int64_t token) {
  LoadedConfig few = loaded;
  Config& config = few.config;
  config.run.name += cat(".calibration-", hex16(static_cast<uint64_t>(token)).substr(8));
  config.run.resume = "auto";
  config.run.stop_after.reset();
  config.run.stop_before_end.reset();
  config.train.steps = steps;
  config.eval.interval = 0;
  config.eval.tasks.clear();
  if (config.checkpoint.interval) config.checkpoint.interval = 0;
  config.checkpoint.keep_every = 0;
  config.energy.budget = {};
  config.energy.max_slowdown.reset();  // its trials would count as steps
  constexpr double kNeverAbove = 5000.0;
  if (config.energy.schedule.pause_above) config.energy.schedule.pause_above = kNeverAbove;
  return few;
}

double mean_watts(const EmissionsReport& report) {
  const RunUse use = report.use();
  const double seconds = use.steps.seconds + use.waiting.seconds;
  constexpr double kEnough = 3.0;  // several readings of the meters
  if (seconds >= kEnough) return (use.steps.joules + use.waiting.joules) / seconds;
  return report.energy.joules / report.seconds;
}

Calibration read(const RunFolder& folder, const EnergyConfig& energy) {
  const MeasuredTimes times = measured_times(folder);
  const EmissionsReport report =
      make_emissions_report(RunLedgers(folder.energy()).refresh(), energy);
  if (times.num_steps == 0 || report.energy.joules <= 0)
    throw DataError("the calibration came to no step, or no meter could be read");
  Calibration result;
  const auto seconds_in = [&](Phase phase) {
    return report.phases[static_cast<size_t>(phase)].seconds;
  };
  const double at_end = seconds_in(Phase::kSamples) +
                        std::max(0.0, seconds_in(Phase::kEvaluation) - times.all_validations);
  result.times = {estimate(times.step, kFaster, kSlower),
                  estimate(times.validation, kFaster, kSlower), estimate(times.stall, 0.5, 2),
                  estimate(seconds_in(Phase::kStartup) + at_end, 0.7, 1.5),
                  cat("measured in ", counted(times.num_steps, "step"), " here")};
  const double watts = mean_watts(report);
  // By the model of a processor without load, since nothing of a run is idle.
  const double idle = watts * kIdleShare;
  const EnergyRange& range = report.energy;
  result.power = {{watts, watts * range.low / range.joules, watts * range.high / range.joules},
                  cat(fixed(100 * report.measured_share, 0), "% measured, ",
                      fixed(100 * report.modelled_share, 0), "% modelled, ",
                      fixed(100 * report.missing_share, 0),
                      "% not read (while lmtrain started), in the same steps"),
                  idle,
                  /*is_of_all_nodes=*/true};
  result.joules = range.joules;
  return result;
}

// Moves them to where those of `lmtrain prepare` are.
std::filesystem::path keep_ledgers(const RunFolder& folder, const Config& config) {
  const std::filesystem::path kept =
      std::filesystem::path(config.data.cache) / "energy" / folder.path.filename();
  make_folders(kept);
  for (const auto& entry : std::filesystem::directory_iterator(folder.energy()))
    std::filesystem::copy(entry.path(), kept / entry.path().filename());
  return kept;
}

}  // namespace

std::optional<Calibration> calibrate(const LoadedConfig& loaded, int64_t steps, Launch& launch) {
  const auto now = static_cast<int64_t>(1e6 * clock_seconds(CLOCK_REALTIME));
  const int64_t token = broadcast_from(launch.world(), 0, now ^ (int64_t{getpid()} << 32));
  const LoadedConfig few = for_calibration(loaded, steps, token);
  const RunFolder folder{std::filesystem::path(few.config.run.dir) / few.config.run.name};
  const RemovedAtEnd removed(launch.rank() == 0 ? folder.path : std::filesystem::path());
  const ExitCode code = run_training(few, "calibration of a plan", launch);
  if (code != ExitCode::kDone) throw Error(code, "the calibration was stopped");
  std::optional<Calibration> result;
  launch.first_works([&] {
    result = read(folder, few.config.energy);
    result->ledgers = keep_ledgers(folder, few.config);
  });
  return result;
}

}  // namespace lmtrain
