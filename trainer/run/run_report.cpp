#include "trainer/run/run_report.h"

#include <algorithm>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
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
  try {
    write_file_durably(folder_.facts(), to_json(facts));
    write_emissions_json(folder_.emissions(), report, facts);
    write_report_markdown(folder_.report(), report, facts);
  } catch (const IoError& error) {
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
    facts.name = folder.path.filename();
    return facts;
  }
  try {
    return parse_run_facts(read_file(folder.facts()));
  } catch (const DataError& error) {
    throw DataError(cat(folder.facts().string(), ": ", error.what(),
                        "; start the run again, and it writes this file anew"));
  }
}

Repricing repricing_of(const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    const std::string key = setting.substr(0, setting.find('='));
    const std::vector<std::string> prices = {"energy.region", "energy.pue",
                                             "energy.intensity_g_per_kwh"};
    if (std::ranges::find(prices, key) == prices.end()) {
      throw ConfigError(cat("report takes a new price only (", join(prices, ", "), "), not ", key));
    }
  }
  const LoadedConfig loaded = load_config("", settings);
  const EnergyConfig& config = loaded.config.energy;
  const bool names_region = loaded.positions.is_set("energy.region");
  if (loaded.positions.is_set("energy.intensity_g_per_kwh") && !config.intensity_g_per_kwh &&
      !names_region) {
    throw ConfigError("energy.intensity_g_per_kwh=region: name the region too (energy.region=...)");
  }
  Repricing repricing;
  if (loaded.positions.is_set("energy.pue")) repricing.pue = config.pue;
  if (loaded.positions.is_set("energy.region") ||
      loaded.positions.is_set("energy.intensity_g_per_kwh")) {
    repricing.grid = grid_intensity(config);
  }
  return repricing;
}

}  // namespace

void rewrite_report(const RunFolder& folder, const std::vector<std::string>& settings) {
  if (!std::filesystem::exists(folder.facts()) && !has_ledger(folder)) {
    throw DataError(cat(folder.path.string(), " is no run's folder: it has no facts.json and no ",
                        "energy ledger"));
  }
  const Repricing repricing = repricing_of(settings);
  const RunFacts facts = facts_of(folder);
  EnergyConfig config;
  if (std::filesystem::exists(folder.config()))
    config = load_config(folder.config(), {}).config.energy;
  const std::unique_ptr<Communicator> alone = make_single_communicator();
  RunReporter reporter(folder, config, *alone, OnDamagedLedger::kThrow, repricing);
  reporter.write(facts);
}

}  // namespace lmtrain
