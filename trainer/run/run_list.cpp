#include "trainer/run/run_list.h"

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "energy/ledger/ledger.h"
#include "energy/report/run_facts.h"
#include "trainer/config/held_folder.h"
#include "trainer/config/load_config.h"
#include "trainer/run/run_ending.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The records of a run that is being written may be torn, and those of an old one damaged.
template <class Read>
void read_if_whole(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  } catch (const json::exception&) {
  } catch (const fs::filesystem_error&) {
  }
}

// The end of a file, which may be long.
std::string last_bytes(const fs::path& path, int64_t count) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return "";
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto size = static_cast<int64_t>(file.tellg());
  if (!file || size <= 0) return "";
  const int64_t begin = std::max<int64_t>(0, size - count);
  std::string text(static_cast<size_t>(size - begin), '\0');
  file.seekg(begin);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// The newest step, loss and validation loss, which facts.json has only as of the last checkpoint.
void add_newest_metrics(const RunFolder& folder, RunSummary& run) {
  constexpr int64_t kBytes = 1 << 16;
  const std::string text = last_bytes(folder.metrics(), kBytes);
  std::string_view rest = text;
  while (!rest.empty()) {
    const json line = json::parse(cut_line(rest), nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) continue;
    if (line.contains("loss") && line["loss"].is_number()) {
      run.step = line["step"].get<int64_t>();
      run.train_loss = line["loss"].get<double>();
    }
    if (line.contains("validation_loss") && line["validation_loss"].is_number())
      run.validation_loss = line["validation_loss"].get<double>();
  }
}

void add_facts(const RunFolder& folder, RunSummary& run) {
  const RunFacts facts = parse_run_facts(read_file(folder.facts()));
  run.started = facts.started;
  run.step = facts.steps + (facts.inherited ? facts.inherited->steps : 0);
  if (!facts.train_loss.empty()) run.train_loss = facts.train_loss.back().value;
  run.validation_loss = facts.last_validation_loss;
}

void add_emissions(const RunFolder& folder, RunSummary& run) {
  const json emissions = json::parse(read_file(folder.emissions()));
  run.kwh = emissions.at("energy_kwh").at("value").get<double>();
  run.kg_co2e = emissions.at("emissions_kg_co2e").at("value").get<double>();
  const json& attempts = emissions.at("attempts");
  run.attempts = static_cast<int64_t>(attempts.size());
  if (attempts.empty()) return;
  const json& job = attempts.back().at("job");
  if (!job.is_null()) run.job = job.at("id").get<std::string>();
}

// An attempt that failed wrote its last readings behind its last report.
void add_newest_emissions(const RunFolder& folder, RunSummary& run) {
  if (run.state != RunState::kFailed && run.state != RunState::kInterrupted) return;
  const ReportedRun reported = reported_run(folder, "", {});
  run.kwh = kwh(reported.report.energy.joules);
  run.kg_co2e = reported.account.location.grams / 1000;
  run.attempts = std::ssize(reported.report.attempts);
}

void add_state(const RunFolder& folder, RunSummary& run) {
  if (is_held(folder)) {
    run.state = RunState::kRunning;
    if (const auto holder = holder_of(folder)) run.reason = to_text(*holder);
    return;
  }
  const std::optional<RunEnding> ending = load_ending(folder);
  const bool has_failed = ending && ending->code != ExitCode::kDone;
  if (!has_failed && (ending || fs::exists(folder.summary()))) {
    run.state = RunState::kFinished;
  } else if (has_failed) {  // a finished run may fail to be extended
    run.state = ending->code == ExitCode::kStopped ? RunState::kStopped : RunState::kFailed;
    run.reason = ending->reason;
  }
}

}  // namespace

bool is_run(const RunFolder& folder) {
  std::error_code error;
  return fs::exists(folder.metrics(), error) || fs::exists(folder.facts(), error) ||
         fs::exists(ledger_path(folder.energy(), 0), error);
}

RunSummary summary_of(const RunFolder& folder) {
  RunSummary run;
  run.name = fs::absolute(folder.path / "").parent_path().filename();
  read_if_whole([&] { add_facts(folder, run); });
  read_if_whole([&] { add_newest_metrics(folder, run); });
  read_if_whole([&] { add_emissions(folder, run); });
  read_if_whole([&] { run.steps = load_config(folder.config(), {}).config.train.steps; });
  read_if_whole([&] { add_state(folder, run); });
  read_if_whole([&] { add_newest_emissions(folder, run); });
  return run;
}

std::vector<RunSummary> list_runs(const fs::path& folder) {
  std::vector<RunSummary> runs;
  if (is_run({folder})) {
    runs.push_back(summary_of({folder}));
    return runs;
  }
  try {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_directory() && is_run({entry.path()}))
        runs.push_back(summary_of({entry.path()}));
  } catch (const fs::filesystem_error& error) {
    throw IoError(cat("cannot look into ", folder.string(), ": ", error.code().message()));
  }
  std::ranges::sort(runs, {},
                    [](const RunSummary& run) { return std::pair(run.started, run.name); });
  return runs;
}

}  // namespace lmtrain
