// plan: what a run will take, before it starts.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/plan/pause_simulation.h"
#include "models/model_sizes.h"
#include "parallel/cores.h"
#include "trainer/commands/command.h"
#include "trainer/commands/machine_option.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/text_table.h"
#include "trainer/config/resolve_task.h"
#include "trainer/config/run_folder.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/feasibility.h"
#include "trainer/planning/run_plan.h"
#include "trainer/run/calibrate.h"
#include "trainer/run/run_power.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t ranks = 0;
  std::string machine = kThisNode;
  std::string region;
  std::vector<std::string> regions;
  int64_t calibration_steps = 0;
  bool saves = false;
  bool simulates = false;
  bool is_json = false;
};

// The config with --region, which is another way to write energy.region.
std::vector<std::string> settings_of(const Options& options) {
  std::vector<std::string> settings = options.config.settings;
  if (!options.region.empty()) settings.push_back(cat("energy.region=", options.region));
  return settings;
}

PlanQuestion question_of(const Options& options, LoadedConfig& loaded, int64_t num_ranks) {
  const auto initial = adopt_initial_model(loaded);
  loaded.config.model = with_some_labels(loaded.config);
  Config& config = loaded.config;
  if (const auto problem = find_problem(config.model))
    throw ConfigError(cat(loaded.name, ": ", problem->text));
  config.train.precision = resolved_precision(options.machine, config.train.precision);
  PlanQuestion question;
  question.vocab_size = std::max(planned_vocab_size(config), initial ? initial->num_tokens : 0);
  config.model.vocab_size = question.vocab_size;
  question.num_ranks = num_ranks;
  question.machine = machine_of(options.machine, config, num_ranks);
  question.device = options.machine == kThisNode ? "" : options.machine;
  question.series = series_of(config.energy);
  question.price = price_of_attempt(loaded, question.series.get());
  question.begins = clock_seconds(CLOCK_REALTIME);
  question.config = config;
  return question;
}

// Throws ConfigError where the config names none.
std::shared_ptr<const IntensitySeries> series_of_pauses(const PlanQuestion& question) {
  EnergyConfig energy = question.config.energy;
  energy.intensity_file = pause_file(energy);
  if (energy.intensity_file.empty())
    throw ConfigError("--simulate needs a series of intensities: set energy.schedule.intensity");
  return series_of(energy);
}

std::string estimate_text(const Estimate& e, const std::string& unit) {
  return cat(three_digits(e.value), " ", unit, " (", three_digits(e.low), " to ",
             three_digits(e.high), ")");
}

std::string duration_estimate(const Estimate& e) {
  const auto text = [](double seconds) {
    return seconds < 100 ? cat(three_digits(seconds), " s") : human_duration(seconds);
  };
  return cat(text(e.value), " (", text(e.low), " to ", text(e.high), ")");
}

EnergyRange joules_of(const Estimate& kwh) {
  return {kwh.value * 3.6e6, kwh.low * 3.6e6, kwh.high * 3.6e6};
}
EmissionsRange grams_of(const Estimate& kg) {
  return {kg.value * 1000, kg.low * 1000, kg.high * 1000};
}

// Of a run that takes `share` of a budget, which is above 1: the steps that it pays for, behind the
// start, the validations and the saves.
double share_of_steps(const RunPlan& plan, double share) {
  const PartTimes& times = plan.times;
  const double fixed_seconds = times.ends.value +
                               times.validation.value * static_cast<double>(plan.num_validations) +
                               times.save_stall.value * static_cast<double>(plan.num_saves);
  const double of_fixed = share * fixed_seconds / plan.run.seconds.value;
  return std::clamp((1 - of_fixed) / std::max(1e-12, share - of_fixed), 0.0, 1.0);
}

std::string budget_text(const RunPlan& plan, const EnergyConfig& config) {
  const Spending spending = {
      plan.energy.facility_kwh.value * 3.6e6, plan.energy.kg_co2e.value * 1000,
      plan.run.seconds.value,
      plan.run.seconds.value *
          static_cast<double>(std::max(plan.run.num_devices, plan.run.num_nodes))};
  std::string text;
  for (const BudgetUse& use : budget_use(config, spending)) {
    text +=
        cat("budget        ", use.key, " = ", three_digits(use.limit), " ", use.unit, ": ",
            use.share() <= 1 ? cat("the run takes ", fixed(100 * use.share(), 0), "% of it")
                             : cat("pays for ", fixed(100 * share_of_steps(plan, use.share()), 0),
                                   "% of the steps; the learning rate's decay will end there"),
            "\n");
  }
  return text;
}

void print_plan(const LoadedConfig& loaded, const PlanQuestion& question, const RunPlan& plan) {
  const Config& config = question.config;
  const EnergyPlan& energy = plan.energy;
  const EnergyPrice& price = question.price;
  std::cout << loaded.name << ": " << config.model.kind << " of "
            << with_commas(sizes_of(config.model, question.vocab_size).num_parameters)
            << " parameters, " << with_commas(config.train.steps) << " steps, "
            << with_commas(plan.tokens) << " tokens, " << config.train.precision << "\n"
            << counted(question.num_ranks, "rank") << " on " << question.machine.description << "; "
            << layout_text(plan.layout.parallel, question.num_ranks) << "\n\n"
            << "memory        " << human_bytes(plan.layout.memory.total()) << " a rank of "
            << human_bytes(question.machine.memory_bytes)
            << (plan.layout.fits ? "" : ", which is too little") << "\n"
            << "operations    " << three_digits(plan.flops * 1e-15) << " PFLOP\n"
            << "a step        " << duration_estimate(plan.times.step) << ", " << plan.times.source
            << "\n"
            << "time          " << duration_estimate(plan.run.seconds) << " with "
            << counted(plan.num_validations, "validation") << ", "
            << counted(plan.num_saves, "save") << " and the start\n"
            << "power         " << estimate_text(plan.run.watts, "W") << "; " << plan.power.source
            << "\n"
            << "energy        " << energy_range_text(joules_of(energy.kwh)) << " of the computers, "
            << energy_text(energy.facility_kwh.value * 3.6e6) << " with " << pue_text(price) << "\n"
            << "emissions     " << emissions_range_text(grams_of(energy.kg_co2e)) << " CO2e at "
            << describe(energy.grid)
            << (price.is_grid_assumed && !question.series ? " (assumed)" : "") << "\n";
  if (energy.market_kg_co2e)
    std::cout << "market-based  " << emissions_text(1000 * *energy.market_kg_co2e)
              << " CO2e by contracts\n";
  std::cout << "embodied      " << emissions_text(1000 * energy.embodied_kg_co2e())
            << " CO2e, the run's share of making the hardware\n";
  if (energy.water_litres)
    std::cout << "water         " << estimate_text(*energy.water_litres, "l") << "\n";
  if (energy.money > 0)
    std::cout << "cost          " << three_digits(energy.money) << " " << config.energy.currency
              << "\n";
  std::cout << budget_text(plan, config.energy);
}

// Where else, and when: what the run causes in other regions, and in other hours.
void print_regions(const std::vector<std::string>& wanted, const PlanQuestion& question,
                   const RunPlan& plan) {
  // What the same computers cause there, where a cloud may publish a PUE of its own.
  const auto there = [&](const GridIntensity& grid) {
    return repriced(question.price, {.grid = grid});
  };
  const auto grams = [&](const GridIntensity& grid) {
    return plan.energy.kwh.value * there(grid).pue * grid.g_per_kwh;
  };
  std::vector<GridIntensity> grids;
  for (const std::string& region : wanted) grids.push_back(find_grid_intensity(region));
  const std::string& here = plan.energy.grid.code;
  const std::string cloud =
      here.substr(0, here.find(':') == std::string::npos ? 0 : here.find(':') + 1);
  if (grids.empty()) {
    // Where computers can be rented: of the same cloud, else of any whose figures are of the same
    // scope.
    constexpr size_t kMost = 5;
    for (const GridIntensity& grid : carbon_table()) {
      const bool is_of_kind = cloud.empty()
                                  ? grid.code.starts_with("aws:") || grid.code.starts_with("azure:")
                                  : grid.code.starts_with(cloud);
      if (is_of_kind && grid.is_direct == plan.energy.grid.is_direct) grids.push_back(grid);
    }
    std::ranges::stable_sort(grids, {}, grams);
    // Of several on one grid the first.
    const auto same =
        std::unique(grids.begin(), grids.end(), [](const GridIntensity& a, const GridIntensity& b) {
          return a.source == b.source && a.g_per_kwh == b.g_per_kwh;
        });
    grids.erase(same, grids.end());
    if (grids.size() > kMost) grids.resize(kMost);
  }
  std::vector<std::vector<std::string>> rows = {{"region", "emissions", "PUE", "grid"}};
  std::ranges::stable_sort(grids, {}, grams);
  for (const GridIntensity& grid : grids) {
    const EnergyPrice price = there(grid);
    rows.push_back({grid.code, emissions_text(grams(grid)) + " CO2e",
                    cat(shortest(price.pue), price.is_pue_assumed ? " (assumed)" : ""),
                    describe(grid)});
  }
  std::cout << "\n"
            << (wanted.empty()
                    ? cat("The cleanest regions of ", cloud.empty() ? "clouds" : "this cloud",
                          " whose figures count what this one's do (",
                          plan.energy.grid.is_direct ? "emissions of the plants" : "life cycle",
                          "):\n")
                    : "The same elsewhere:\n");
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
  const auto is_direct = [](const GridIntensity& grid) { return grid.is_direct; };
  if (std::ranges::any_of(grids, is_direct) && !std::ranges::all_of(grids, is_direct)) {
    std::cout << "Those marked direct count what plants emit, the others also their making and "
                 "fuel: compare each with its like alone.\n";
  }
}

void print_hours(const IntensitySeries& series, const RunPlan& plan) {
  std::vector<StartHour> starts = start_hours(series, plan.run.seconds.value);
  const bool is_past = series.spans().back().end <= plan.run.begins;
  if (!is_past)
    std::erase_if(starts, [&](const StartHour& start) { return start.begins < plan.run.begins; });
  if (starts.empty()) {
    std::cout << "\nWhat is left of the series (" << series.source()
              << ") is shorter than the run.\n";
    return;
  }
  constexpr size_t kMost = 5;
  std::vector<std::vector<std::string>> rows = {{"start (UTC)", "emissions", "mean intensity"}};
  const auto add = [&](const StartHour& start) {
    rows.push_back({utc_text(start.begins),
                    emissions_text(plan.energy.facility_kwh.value * start.g_per_kwh) + " CO2e",
                    cat(three_digits(start.g_per_kwh), " gCO2e/kWh")});
  };
  for (size_t i = 0; i < std::min(kMost, starts.size()); ++i) add(starts[i]);
  if (starts.size() > kMost) add(starts.back());
  std::cout << "\nThe best hours to start" << (is_past ? " would have been" : "")
            << (starts.size() > kMost ? ", and the worst" : "") << " (" << series.source()
            << "):\n";
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
}

// What pauses would save, for the config's limit and for others.
void print_pauses(const IntensitySeries& series, const PlanQuestion& question,
                  const RunPlan& plan) {
  const EnergyConfig& energy = question.config.energy;
  const PauseConfig& schedule = energy.schedule;
  PausingRun run;
  // A series of the past stands for hours like those to come.
  const auto& spans = series.spans();
  const bool is_now = spans.front().begin <= question.begins && question.begins < spans.back().end;
  run.begins = is_now ? question.begins : spans.front().begin;
  run.work_seconds = plan.run.seconds.value;
  run.watts = plan.run.watts.value;
  run.idle_watts = plan.idle_watts;
  run.save_seconds = plan.times.save_stall.value;
  run.start_seconds = plan.times.ends.value;
  run.pue = question.price.pue;
  run.otherwise_g_per_kwh = question.price.grid.g_per_kwh;
  run.embodied_g_per_second = 1000 * plan.energy.embodied_kg_co2e() / plan.run.seconds.value;
  const double no_limit = std::numeric_limits<double>::infinity();
  const double max_delay = schedule.max_delay.value_or(no_limit);
  const PausedRun without = simulate_pauses(series, run, no_limit, 0, PauseMode::kWait);

  std::vector<std::vector<std::string>> rows = {{"pause_above", "mode", "pauses", "delay",
                                                 "ends (UTC)", "energy", "electricity", "embodied",
                                                 "change in total", ""}};
  const auto add = [&](const std::string& limit, const std::string& mode, const PausedRun& one,
                       const std::string& remark) {
    rows.push_back({limit, mode, std::to_string(one.num_pauses), human_duration(one.paused_seconds),
                    utc_text(one.ends), energy_text(one.kwh * 3.6e6),
                    emissions_text(one.grams) + " CO2e", emissions_text(one.embodied_grams),
                    cat(fixed(100 * (one.all_grams() / without.all_grams() - 1), 1), "%"), remark});
  };
  add("none", "", without, "");
  std::vector<double> sorted;
  for (const IntensitySeries::Span& span : series.spans()) sorted.push_back(span.g_per_kwh);
  std::ranges::sort(sorted);
  std::vector<double> limits;
  for (const double share : {0.25, 0.5, 0.75})
    limits.push_back(sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))]);
  if (schedule.pause_above) limits.push_back(*schedule.pause_above);
  std::ranges::sort(limits);
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  for (const double limit : limits) {
    for (const PauseMode mode : {PauseMode::kWait, PauseMode::kStop}) {
      const bool is_configs = schedule.pause_above == limit && schedule.mode == mode;
      add(three_digits(limit), std::string(name_of(mode)),
          simulate_pauses(series, run, limit, max_delay, mode), is_configs ? "the config's" : "");
    }
  }
  std::cout << "\nPauses (energy.schedule), from " << utc_text(run.begins) << " on, with at most "
            << (schedule.max_delay ? human_duration(max_delay) : "any")
            << " of delay; while it waits "
            << "the run holds machines of " << three_digits(run.idle_watts) << " W (mode wait):\n";
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
}

void print_json(const RunPlan& plan) {
  auto json = nlohmann::ordered_json::parse(to_json(plan.factors()));
  const auto range = [](const Estimate& e) {
    return nlohmann::ordered_json{{"value", e.value}, {"low", e.low}, {"high", e.high}};
  };
  json["tokens"] = plan.tokens;
  json["memory_bytes_per_rank"] = plan.layout.memory.total();
  json["seconds"] = range(plan.run.seconds);
  json["energy_kwh"] = range(plan.energy.kwh);
  json["facility_kwh"] = range(plan.energy.facility_kwh);
  json["emissions_kg_co2e"] = range(plan.energy.kg_co2e);
  json["embodied_kg_co2e"] = plan.energy.embodied_kg_co2e();
  if (plan.energy.water_litres) json["water_litres"] = range(*plan.energy.water_litres);
  if (plan.energy.money > 0) json["money"] = plan.energy.money;
  std::cout << json.dump(2) << "\n";
}

int64_t ranks_of(const Options& options, const Launch& launch) {
  const bool is_calibrated = options.calibration_steps > 0;
  if (options.ranks == 0) return launch.size();
  if (is_calibrated && options.ranks != launch.size()) {
    throw ConfigError(cat("--calibrate measures the ranks that run here, ", launch.size(), ", not ",
                          options.ranks, "; start it as mpirun -n ", options.ranks,
                          " lmtrain plan ..., or leave one of the two out"));
  }
  return options.ranks;
}

void make_plan(const Options& options, Launch& launch) {
  LoadedConfig loaded;
  std::optional<Calibration> calibration;
  int64_t num_ranks = 1;
  launch.together([&] {
    loaded = load_config(options.config.path, settings_of(options));
    check_energy(loaded);
    for (const std::string& region : options.regions) find_grid_intensity(region);
    num_ranks = ranks_of(options, launch);
    if (options.calibration_steps > 0 && options.machine != kThisNode)
      throw ConfigError("--calibrate measures this machine; leave --machine out");
  });
  if (options.calibration_steps > 0)
    calibration = calibrate(loaded, options.calibration_steps, launch);
  launch.first_works([&] {
    const PlanQuestion question = question_of(options, loaded, num_ranks);
    const LayoutPlan layout = layout_of(question);
    const auto cores = static_cast<int64_t>(job_cores().size());
    const RunPlan plan = plan_run(
        question, layout,
        calibration ? calibration->times : estimated_times(question.config, layout, num_ranks),
        calibration ? calibration->power
                    : power_of(question.machine, question.config.energy, cores));
    if (options.is_json) {
      print_json(plan);
    } else {
      print_plan(loaded, question, plan);
      print_regions(options.regions, question, plan);
      if (question.series) print_hours(*question.series, plan);
      if (options.simulates) print_pauses(*series_of_pauses(question), question, plan);
      if (calibration)
        std::cout << "\nThe calibration itself took " << energy_text(calibration->joules)
                  << "; its ledgers are in " << calibration->ledgers.string() << ".\n";
    }
    if (!options.saves) return;
    const RunConfig& run = loaded.config.run;
    const RunFolder folder{std::filesystem::path(run.dir) / run.name};
    make_folders(run.dir);
    write_file_durably(folder.plan(), to_json(plan.factors()));
    log_info(
        cat("the plan is kept in ", folder.plan().string(), "; the run's report compares with it"));
  });
}

}  // namespace

Command add_plan(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "plan", "Say what a run will take: memory, time, energy, emissions, cost");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  app->add_option("--ranks", options->ranks, "Ranks of the job (default: those that run this, 1)")
      ->check(CLI::Range(1, 1 << 16));
  add_machine_option(app, options->machine);
  app->add_option("--region", options->region, "The same as energy.region=REGION");
  auto* const regions =
      app->add_option("--regions", options->regions,
                      "Regions to compare with, such as FRA,SWE,gcp:europe-north1")
          ->delimiter(',')
          ->allow_extra_args(false);
  app->add_option("--calibrate", options->calibration_steps,
                  "Train so many steps here first, and plan with the time and power that they take "
                  "(20 are enough for most)")
      ->check(CLI::Range(5, 100000));
  app->add_flag("--save", options->saves,
                "Keep the plan beside the run's folder (DIR/NAME.plan.json), for its report");
  auto* const simulate =
      app->add_flag("--simulate", options->simulates,
                    "Also play pauses through (energy.schedule): what they save or lose");
  app->add_flag("--json", options->is_json, "Print JSON")->excludes(regions)->excludes(simulate);
  return {
      .app = app,
      .examples = {"lmtrain plan configs/quickstart.yaml --calibrate 20",
                   "lmtrain plan configs/llama-8b.yaml --ranks 32 --machine h100 --region FRA"},
      .synonyms = {config_words(), ranks_words(), machine_words(), {{"country"}, {"--region"}, ""}},
      .run = run_on_ranks(options, make_plan)};
}

}  // namespace lmtrain
