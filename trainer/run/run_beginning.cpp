#include "trainer/run/run_beginning.h"

#include "base/build_info.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "models/cpu_capability.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/resume_compatibility.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_trace.h"

namespace lmtrain {
namespace {

const RunFolder& with_folders(const RunFolder& folder) {
  make_folders(folder.checkpoints());
  make_folders(folder.energy());
  return folder;
}

// While this job prepared its data another one may have held the folder and trained on.
void check_still_where_it_was(const RunFolder& folder, const StartPoint& start) {
  if (list_checkpoints(folder.checkpoints()) == start.own_checkpoints) return;
  throw Error(ExitCode::kHeld,
              cat("another job has trained ", folder.path.string(),
                  " while this one was starting; start it again to continue from there"));
}

// What the checkpoint knows of this run. What another run took before is not part of it.
RunTotals totals_of(const StartPoint& start, const RunFolder& folder, const RunFacts& facts) {
  if (start.checkpoint.empty()) return {};
  if (!start.is_own(folder)) return {start.step(), 0, 0};
  const CheckpointState& state = start.manifest.state;
  return {state.step, state.tokens - facts.inherited.value_or(Inherited{}).tokens, state.seconds};
}

MetricsLog open_records(const RunFolder& folder, const Config& config, const StartPoint& start,
                        const RunFacts& facts) {
  check_still_where_it_was(folder, start);
  if (config.train.trace) remove_traces(folder);
  remove_unfinished_checkpoints(folder.checkpoints());
  open_log_file(folder.log());
  std::filesystem::remove(folder.summary());  // a larger train.steps extends a finished run
  write_file_durably(folder.config(), print_config(config));
  return MetricsLog(folder.metrics(), totals_of(start, folder, facts));
}

// What earlier attempts of this run knew of its beginning; or where another run's checkpoint gave
// it one.
RunFacts facts_of_beginning(const RunFolder& folder, const StartPoint& start) {
  RunFacts facts;
  const bool is_own = start.is_own(folder);
  if (const auto before = is_own ? load_run_facts(folder.facts()) : std::nullopt) {
    facts.started = before->started;
    facts.inherited = before->inherited;
    facts.notes = before->notes;
  }
  if (facts.started.empty()) facts.started = utc_now();
  if (start.checkpoint.empty() || is_own) return facts;
  const CheckpointState& from = start.manifest.state;
  facts.inherited = Inherited{start.checkpoint.string(), from.step, from.tokens, from.joules};
  return facts;
}

bool has_finished(const Config& config, const RunFolder& folder, const StartPoint& start) {
  return !start.checkpoint.empty() && std::filesystem::exists(folder.summary()) &&
         start.step() >= config.train.steps;
}

// A finished run that is started again may differ in what a resumed one may.
void check_config_of_finished_run(const StartPoint& start, Config now) {
  const Config before =
      parse_config(start.manifest.state.config, start.checkpoint.string() + "/manifest.json")
          .config;
  if (now.model.vocab_size == 0) now.model.vocab_size = before.model.vocab_size;
  check_resume_compatibility(before, now);
}

void say_it_has_finished(const Config& config, const RunFolder& folder) {
  log_info(cat("run ", config.run.name, " has finished its ", config.train.steps,
               " steps; a larger train.steps extends it. Report: ", folder.report().string()));
}

}  // namespace

OpenedFolder::OpenedFolder(const RunFolder& folder, const Config& config, const StartPoint& start)
    : lock_(with_folders(folder)),
      beginning_(facts_of_beginning(folder, start)),
      metrics_(open_records(folder, config, start, beginning_)) {
  for (const std::string& note : metrics_.notes()) beginning_.notes.push_back(note);
}

std::optional<RunBeginning> begin_run(const LoadedConfig& given, Launch& launch) {
  const RunConfig& run = given.config.run;
  const RunFolder folder{std::filesystem::path(run.dir) / run.name};
  StartPoint start;
  JobChecks checks;
  checks.has_work = [&](const LoadedConfig& loaded) {
    start = find_start_point_together(loaded.config, folder, launch);
    launch.together([&] { check_steps(start, loaded.config, folder); });
    if (!has_finished(loaded.config, folder, start)) return true;
    launch.together([&] { check_config_of_finished_run(start, loaded.config); });
    if (launch.rank() == 0) say_it_has_finished(loaded.config, folder);
    return false;
  };
  checks.with_data = [&](const Job& job) {
    if (start.checkpoint.empty()) return;
    const auto notes =
        check_start_point(start, job.config(), checkpoint_state(job, start.step(), launch));
    if (launch.rank() != 0) return;
    for (const std::string& note : notes) log_warn(note);
  };
  std::optional<Job> job = start_job(given, checks, launch);
  if (!job) return std::nullopt;

  std::unique_ptr<OpenedFolder> opened;
  launch.together([&] {
    if (launch.rank() == 0) opened = std::make_unique<OpenedFolder>(folder, job->config(), start);
  });
  return RunBeginning{std::move(*job), folder, std::move(start), std::move(opened)};
}

CheckpointState checkpoint_state(const Job& job, int64_t step, const Launch& launch) {
  const Precision precision = job.config().train.precision;
  CheckpointState state;
  state.step = step;
  state.config = print_config(job.config(), ConfigText::kValues);
  state.tokenizer_hash = hex16(job.data.prepared.tokenizer.hash());
  state.data_fingerprint = hex16(job.data.fingerprint);
  state.num_tokens = job.num_tokens;
  state.start_token = static_cast<int32_t>(job.data.prepared.train.header().start_token);
  state.precision = precision;
  state.weights_type = precision == Precision::kFp64 ? "F64" : "F32";
  state.num_ranks = launch.size();
  state.num_threads = job.compute.num_threads;
  state.build = build_description();
  state.cpu_capability = cpu_capability();
  state.commit = commit();
  return state;
}

void load_beginning(const RunBeginning& run, ParameterStore& store, Launch& launch) {
  launch.together([&] {
    if (!run.start.checkpoint.empty()) {
      load_tensors(run.start.checkpoint, run.start.manifest, store, true);
      log_info(cat("continuing from ", run.start.checkpoint.string()));
    } else if (run.job.initial) {
      load_initial_weights(*run.job.initial, store);
      log_info(cat("weights of ", run.config().model.init_from));
    }
  });
  store.refresh_compute();  // collective: not within what may fail on one rank
}

}  // namespace lmtrain
