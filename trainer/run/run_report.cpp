#include "trainer/run/run_report.h"

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

EmissionsReport RunReporter::sum_up() { return report_of(collect()); }

EmissionsReport RunReporter::report_of(const std::vector<EnergyTotals>& totals) {
  if (world_.rank() != 0) return {};
  return unless_damaged([&] { return make_emissions_report(totals, config_); });
}

EmissionsReport RunReporter::write(const RunFacts& facts) {
  const std::vector<EnergyTotals> totals = collect();
  if (world_.rank() != 0) return {};
  EmissionsReport report = report_of(totals);
  try {
    write_file_durably(folder_.facts(), to_json(facts));
    write_emissions_json(folder_.emissions(), report, facts);
    write_report_markdown(folder_.report(), report, totals, facts);
  } catch (const IoError& error) {
    log_warn(cat("the report could not be written: ", error.what()));
  }
  return report;
}

void rewrite_report(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.facts())) {
    throw DataError(cat(folder.path.string(), " is no run's folder: it has no facts.json"));
  }
  RunFacts facts;
  try {
    facts = parse_run_facts(read_file(folder.facts()));
  } catch (const DataError& error) {
    throw DataError(cat(folder.facts().string(), ": ", error.what(),
                        "; start the run again, and it writes this file anew"));
  }
  const std::unique_ptr<Communicator> alone = make_single_communicator();
  RunReporter reporter(folder, load_config(folder.config(), {}).config.energy, *alone,
                       OnDamagedLedger::kThrow);
  reporter.write(facts);
}

}  // namespace lmtrain
