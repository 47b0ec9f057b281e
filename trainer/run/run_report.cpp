#include "trainer/run/run_report.h"

#include <algorithm>
#include <iterator>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"
#include "energy/report/batch_energy.h"
#include "energy/report/report_html.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/load_config.h"

namespace lmtrain {

template <class Work>
auto RunReporter::unless_damaged(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& error) {  // damaged, or not to be read
    if (on_damaged_ == OnDamagedLedger::kThrow) throw;
    log_warn(cat("the report leaves out energy that cannot be summed up: ", error.what()));
    return {};
  }
}

// On rank 0 the totals of all ranks.
std::vector<EnergyTotals> RunReporter::collect() {
  const std::vector<std::string> parts =
      gather_texts(world_, to_json(unless_damaged([&] { return ledgers_.refresh(); })));
  std::vector<EnergyTotals> totals;
  if (world_.rank() != 0) return totals;
  for (const std::string& part : parts) {
    for (EnergyTotals& total : parse_energy_totals(part)) totals.push_back(std::move(total));
  }
  return totals;
}

EmissionsReport RunReporter::write(const RunFacts& facts) {
  std::vector<EnergyTotals> totals = collect();
  if (world_.rank() != 0) return {};
  EmissionsReport report =
      unless_damaged([&] { return make_emissions_report(std::move(totals), config_, repricing_); });
  std::optional<PlanFactors> plan = load_plan(folder_.kept_plan());
  if (!plan) plan = load_plan(folder_.plan());
  if (plan) report.plan = compare_with_plan(*plan, report, facts);
  report.batch = load_batch_energy(folder_.batch_energy(), report.attempts);
  try {
    write_file_durably(folder_.facts(), to_json(facts));
    const Account account = account_of(report, people_);
    write_emissions_json(folder_.emissions(), report, facts);
    write_report_markdown(folder_.report(), report, facts, account);
    write_file_durably(folder_.page(), report_html(report, facts, account, people_));
  } catch (const IoError& error) {
    if (on_damaged_ == OnDamagedLedger::kThrow) throw;
    log_warn(cat("the report could not be written: ", error.what()));
  }
  return report;
}

namespace {

bool has_ledger(const RunFolder& folder) {
  std::error_code error;
  return std::filesystem::exists(ledger_path(folder.energy(), 0), error);
}

RunFacts facts_of(const RunFolder& folder) {
  RunFacts facts;
  if (!std::filesystem::exists(folder.facts())) {
    // It was killed while its text was prepared.
    facts.name = std::filesystem::absolute(folder.path / "").parent_path().filename();
    return facts;
  }
  try {
    return parse_run_facts(read_file(folder.facts()));
  } catch (const DataError& error) {
    throw DataError(cat(folder.facts().string(), ": ", error.what(),
                        "; start the run again, and it writes this file anew"));
  }
}

bool is_of_report(const std::string& key) { return key.starts_with("report."); }

Repricing repricing_of(const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    const std::string key = setting.substr(0, setting.find('='));
    const std::vector<std::string> prices = {"energy.region", "energy.pue",
                                             "energy.intensity_g_per_kwh", "energy.intensity_file"};
    if (std::ranges::find(prices, key) == prices.end() && !is_of_report(key)) {
      throw ConfigError(cat("report takes another PUE or grid (", join(prices, ", "),
                            ") and the keys of report, not ", key));
    }
  }
  const LoadedConfig loaded = load_config("", settings);
  const EnergyConfig& config = loaded.config.energy;
  const bool names_region = loaded.positions.is_set("energy.region");
  if (loaded.positions.is_set("energy.intensity_g_per_kwh") && !config.intensity_g_per_kwh &&
      !names_region) {
    throw ConfigError("energy.intensity_g_per_kwh=region: name the region too (energy.region=...)");
  }
  if (loaded.positions.is_set("energy.pue") && !config.pue && !names_region)
    throw ConfigError("energy.pue=auto: name the region too (energy.region=...)");
  Repricing repricing;
  repricing.pue = config.pue;
  repricing.takes_pue_of_grid = loaded.positions.is_set("energy.pue");
  if (loaded.positions.is_set("energy.region") ||
      loaded.positions.is_set("energy.intensity_g_per_kwh")) {
    repricing.grid = grid_intensity(config);
  }
  repricing.series = series_of(config);
  return repricing;
}

// Of the run's config, or of a file that has this section alone.
ReportConfig people_of(const RunFolder& folder, const std::filesystem::path& file,
                       const std::vector<std::string>& settings) {
  std::vector<std::string> own;
  std::ranges::copy_if(settings, std::back_inserter(own), is_of_report);
  if (file.empty()) {
    const bool has_config = std::filesystem::exists(folder.config());
    return load_config(has_config ? folder.config() : "", own).config.report;
  }
  const LoadedConfig loaded = load_config(file, own);
  for (const ConfigValue& value : values_of(loaded.config)) {
    if (loaded.positions.is_set(value.key) && !is_of_report(value.key)) {
      throw ConfigError(
          cat(loaded.positions.at(value.key), ": ", value.key,
              " is not of the section report, which is all that is read of this file"));
    }
  }
  return loaded.config.report;
}

void require_records(const RunFolder& folder) {
  if (has_ledger(folder)) return;
  if (std::filesystem::exists(folder.facts())) {
    throw DataError(cat(ledger_path(folder.energy(), 0).string(),
                        " is not there: without the energy ledgers there is nothing to report, and "
                        "the reports in the folder are left as they are"));
  }
  throw DataError(cat(folder.path.string(), " is no run's folder: it has no facts.json and no ",
                      "energy ledger"));
}

EnergyConfig energy_config_of(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.config())) return {};
  return load_config(folder.config(), {}).config.energy;
}

// Of the folder's only file with this ending; of several as `sha256sum *ENDING | sha256sum` prints
// it there; "" where there is none.
std::string hash_of_files(const std::filesystem::path& folder, const std::string& ending) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ending) files.push_back(entry.path());
  }
  if (files.empty()) return "";
  if (files.size() == 1) return sha256_of_file(files.front());
  std::ranges::sort(files);
  Sha256 all;
  for (const std::filesystem::path& file : files)
    all.update(cat(sha256_of_file(file), "  ", file.filename().string(), "\n"));
  return all.digest();
}

}  // namespace

namespace {

// Names and the like stand in forms alone.
void require_keys_of_report(const std::vector<std::string>& settings) {
  const std::vector<std::string> shown = {
      "report.pue_source",      "report.market_g_per_kwh",        "report.market_source",
      "report.offsets_kg_co2e", "report.captured_kg_co2e",        "report.water_l_per_kwh",
      "report.lifetime_years",  "report.server_embodied_kg_co2e", "report.device_embodied_kg_co2e"};
  for (const std::string& setting : settings) {
    const std::string key = setting.substr(0, setting.find('='));
    if (!is_of_report(key) || std::ranges::find(shown, key) != shown.end()) continue;
    throw ConfigError(cat(key,
                          " stands in forms only: add a --format, or leave it out; the report "
                          "itself takes ",
                          join(shown, ", ")));
  }
}

}  // namespace

void rewrite_report(const RunFolder& folder, const std::vector<std::string>& settings) {
  require_keys_of_report(settings);
  require_records(folder);
  const Repricing repricing = repricing_of(settings);
  const RunFacts facts = facts_of(folder);
  if (RunLedgers(folder.energy()).refresh().empty()) {
    throw DataError(cat("the energy ledgers in ", folder.energy().string(),
                        " hold no attempt, and the reports in the folder are left as they are"));
  }
  const std::unique_ptr<Communicator> alone = make_single_communicator();
  RunReporter reporter(folder, energy_config_of(folder), people_of(folder, "", settings), *alone,
                       OnDamagedLedger::kThrow, repricing);
  reporter.write(facts);
}

ReportedRun reported_run(const RunFolder& folder, const std::filesystem::path& people,
                         const std::vector<std::string>& settings) {
  require_records(folder);
  ReportedRun run;
  run.people = people_of(folder, people, settings);
  run.facts = facts_of(folder);
  const Repricing repricing = repricing_of(settings);
  run.report = make_emissions_report(RunLedgers(folder.energy(), 0, 1, repricing.series).refresh(),
                                     energy_config_of(folder), repricing);
  run.report.batch = load_batch_energy(folder.batch_energy(), run.report.attempts);
  run.account = account_of(run.report, run.people);
  return run;
}

void add_batch_energy(const RunFolder& folder, std::string_view sacct) {
  require_records(folder);
  const EmissionsReport report =
      make_emissions_report(RunLedgers(folder.energy()).refresh(), energy_config_of(folder));
  if (compare_with_batch(parse_sacct(sacct), report.attempts).empty()) {
    throw DataError(cat("no energy of a job in which ", folder.path.string(),
                        " has run; does this Slurm have an AcctGatherEnergyType?"));
  }
  write_file_durably(folder.batch_energy(), sacct);
}

ReportedRun reported_ledgers(const std::filesystem::path& ledgers,
                             const std::vector<std::string>& settings) {
  ReportedRun run;
  run.facts.name = ledgers.filename();
  const Repricing repricing = repricing_of(settings);
  run.report =
      make_emissions_report(RunLedgers(ledgers, 0, 1, repricing.series).refresh(), {}, repricing);
  if (run.report.attempts.empty())
    throw DataError(cat("no attempt is in the ledgers of ", ledgers.string()));
  run.account = account_of(run.report, run.people);
  return run;
}

void check_repricing(const std::vector<std::string>& settings) { repricing_of(settings); }

void add_weights(const RunFolder& folder, const std::filesystem::path& exported, ReportedRun& run) {
  if (!exported.empty()) {
    std::error_code error;
    if (std::filesystem::is_directory(exported, error))
      run.weights_sha256 = hash_of_files(exported, ".safetensors");
    if (run.weights_sha256.empty())
      throw DataError(cat("--weights ", exported.string(),
                          ": no folder with .safetensors files; lmtrain export makes one"));
    run.weights = exported.string();
    run.is_exported = true;
    return;
  }
  const std::filesystem::path newest =
      newest_checkpoint(folder.checkpoints(), CheckpointCheck::kFiles);
  if (newest.empty()) return;
  run.weights = newest.string();
  run.weights_sha256 = hash_of_files(newest, ".h5");
}

}  // namespace lmtrain
