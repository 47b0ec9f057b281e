// Writes the run's report from what its folder holds: the energy ledgers of all ranks and attempts,
// and the facts of the training.
#pragma once

#include <string_view>

#include "energy/energy_config.h"
#include "energy/formats/formats.h"
#include "energy/ledger/totals.h"
#include "energy/report/report.h"
#include "energy/report/run_facts.h"
#include "parallel/communicator.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// What happens when a ledger is damaged, or a report cannot be written: an exception, or (while a
// run trains) a warning and a report without that ledger.
enum class OnDamagedLedger { kThrow, kWarn };

// Remembers what it has read of the ledgers, so that each report reads only their new lines.
class RunReporter {
 public:
  RunReporter(RunFolder folder, EnergyConfig config, ReportConfig people, Communicator& world,
              OnDamagedLedger on_damaged, Repricing repricing = {})
      : folder_(std::move(folder)),
        config_(std::move(config)),
        people_(std::move(people)),
        repricing_(std::move(repricing)),
        world_(world),
        on_damaged_(on_damaged),
        ledgers_(folder_.energy(), world.rank(), world.size(), repricing_.series) {}

  // Collective. Sums up the ledgers; rank 0 writes emissions.json, facts.json, report.md and
  // report.html with its own `facts`. A full disk only causes a warning. Returns the report on rank
  // 0.
  EmissionsReport write(const RunFacts& facts);

 private:
  template <class Work>
  auto unless_damaged(Work work) -> decltype(work());
  std::vector<EnergyTotals> collect();

  RunFolder folder_;
  EnergyConfig config_;
  ReportConfig people_;
  Repricing repricing_;
  Communicator& world_;
  OnDamagedLedger on_damaged_;
  RunLedgers ledgers_;
};

// For `lmtrain report`: writes the report again from the folder alone, in this process; of a run
// that was killed before its first step too. With `settings` ("energy.pue=1.2") at another price,
// beside the one that it had. Throws ConfigError for a setting that is neither a price nor of
// `report`.
void rewrite_report(const RunFolder& folder, const std::vector<std::string>& settings);

// The same as something to hand in (energy/formats/formats.h) or to compare; writes nothing. What
// only people know comes from the section `report` of the run's config or, where it is given, of
// the YAML file `people`, and from settings.
ReportedRun reported_run(const RunFolder& folder, const std::filesystem::path& people,
                         const std::vector<std::string>& settings);
// The same of ledgers without a run, those of `lmtrain prepare`.
ReportedRun reported_ledgers(const std::filesystem::path& ledgers,
                             const std::vector<std::string>& settings);
// Keeps what Slurm has measured of the run's jobs (energy/report/batch_energy.h) for its reports.
// Throws DataError for a text in another form, and one without a job of this run.
void add_batch_energy(const RunFolder& folder, std::string_view sacct);
// Throws ConfigError for settings that reported_run() would refuse.
void check_repricing(const std::vector<std::string>& settings);

// Adds the hash of the weights in `exported`, a folder of .safetensors; where it is empty, of the
// files of the newest checkpoint, which hold the optimizer's state too. Reads all of it. Throws
// DataError.
void add_weights(const RunFolder& folder, const std::filesystem::path& exported, ReportedRun& run);

}  // namespace lmtrain
