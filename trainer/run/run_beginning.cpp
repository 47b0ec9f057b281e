#include "trainer/run/run_beginning.h"

#include <set>

#include "base/batch_job.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/typed_gather.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/resume_compatibility.h"
#include "trainer/run/run_ending.h"
#include "trainer/run/run_list.h"
#include "trainer/run/run_power.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_trace.h"

namespace lmtrain {
namespace {

// What the checkpoint knows of this run. What another run took before is not part of it.
RunTotals totals_of(const StartPoint& start, const RunFolder& folder, const RunFacts& facts) {
  if (start.checkpoint.empty()) return {};
  if (!start.is_own(folder)) return {start.step(), 0, 0};
  const CheckpointState& state = start.manifest.state;
  return {state.step, state.tokens - facts.inherited.value_or(Inherited{}).tokens, state.seconds};
}

MetricsLog open_records(const RunFolder& folder, const Config& config, const StartPoint& start,
                        const RunFacts& facts) {
  remove_unfinished_checkpoints(folder.checkpoints());
  open_log_file(folder.log());
  std::filesystem::remove(folder.ending());
  std::filesystem::remove(folder.summary());  // a larger train.steps extends a finished run
  MetricsLog metrics(folder.metrics(), totals_of(start, folder, facts));
  // After the metrics are cut: what is found beside this config's interval of saves is its own.
  write_file_durably(folder.config(), print_config(config));
  return metrics;
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
    std::erase_if(facts.notes,
                  [](const std::string& note) { return note.starts_with(kEndedEarly); });
    facts.has_lost_energy = before->has_lost_energy;
  }
  if (facts.started.empty()) facts.started = utc_now();
  if (start.checkpoint.empty() || is_own) return facts;
  const CheckpointState& from = start.manifest.state;
  facts.inherited = Inherited{start.checkpoint.string(), start.step(), from.tokens, from.joules};
  return facts;
}

// A run that eval.patience has ended is finished until it is given more.
bool has_lost_patience(const Config& config, const RunFolder& folder) {
  if (config.eval.patience == 0) return false;
  try {
    return parse_run_facts(read_file(folder.summary())).patience >= config.eval.patience;
  } catch (const Error&) {  // damaged: the run goes on, and finds out again
    return false;
  }
}

bool has_finished(const Config& config, const RunFolder& folder, const StartPoint& start) {
  return !start.checkpoint.empty() && std::filesystem::exists(folder.summary()) &&
         (start.step() >= config.train.steps || has_lost_patience(config, folder));
}

// A finished run that is started again may differ in what a resumed one may.
void check_config_of_finished_run(const StartPoint& start, Config now) {
  const Config before =
      parse_config(start.manifest.state.config, start.checkpoint.string() + "/manifest.json")
          .config;
  if (now.model.vocab_size == 0) now.model.vocab_size = before.model.vocab_size;
  if (now.model.labels.empty()) now.model.labels = before.model.labels;
  check_resume_compatibility(before, now, takes_weights_alone(start, now));
}

void say_it_has_finished(const Config& config, const RunFolder& folder, const StartPoint& start) {
  const std::string more =
      start.step() < config.train.steps
          ? cat(" has ended early (eval.patience = ", config.eval.patience, "); a larger one or 0")
          : cat(" has finished its ", config.train.steps, " steps; a larger train.steps");
  log_info(cat("run ", config.run.name, more, " extends it. Report: ", folder.report().string()));
}

}  // namespace

OpenedFolder::OpenedFolder(const RunFolder& folder, const Config& config, const StartPoint& start)
    : beginning_(facts_of_beginning(folder, start)),
      metrics_(open_records(folder, config, start, beginning_)) {
  for (const std::string& note : metrics_.notes()) beginning_.notes.push_back(note);
}

namespace {

// The guard after a roll-back passes over the batches between the checkpoint and the spike.
GuardState guard_of_beginning(const StartPoint& start, const std::optional<RollBack>& roll_back) {
  GuardState guard = start.manifest.state.guard;
  if (!roll_back) return guard;
  guard.num_roll_backs = roll_back->guard.num_roll_backs + 1;
  guard.passed_batches = roll_back->guard.passed_batches + roll_back->step - start.step();
  return guard;
}

// What a job finds out, and takes hold of, before it has its data.
class Beginning {
 public:
  Beginning(const RunFolder& folder, const std::optional<RollBack>& roll_back, PhaseTracker& phases,
            Launch& launch)
      : folder_(folder), roll_back_(roll_back), phases_(phases), launch_(launch) {}

  // Holds the folder. Whether there is anything to do.
  bool has_work(const LoadedConfig& loaded) {
    launch_.together([&] {
      if (launch_.rank() != 0) return;
      if (roll_back_) held_ = roll_back_->held;
      if (held_) return;
      check_may_begin_in(loaded.config, folder_);
      held_ = std::make_shared<HeldFolder>(folder_);
    });
    const int64_t token = broadcast_from(launch_.world(), 0, held_ ? held_->token() : 0);
    launch_.together([&] {
      if (launch_.rank() != 0) HeldFolder::require_same(folder_, token, launch_.host());
    });
    is_held_ = true;
    launch_.on_hang([folder = folder_, &launch = launch_](const std::string& finding) {
      write_ending(folder, ExitCode::kHang, finding, launch.rank());
    });
    if (!launch_.any(launch_.rank() == 0 && std::filesystem::exists(folder_.summary())))
      // Where a run has not finished, its start point is looked for under the meters.
      return begins_work();
    find_start_point(loaded.config);
    if (!has_finished(loaded.config, folder_, start_)) return begins_work();
    launch_.together([&] { check_config_of_finished_run(start_, loaded.config); });
    if (launch_.rank() == 0) say_it_has_finished(loaded.config, folder_, start_);
    return false;
  }

  // From here on all energy is metered, and from the end of it on it is in the ledger.
  void start_metering(const LoadedConfig& loaded, const Compute& compute) {
    const double began = roll_back_ ? roll_back_->began : process_began();
    power_ = start_power_logger(loaded.config.energy, compute, began, phases_, launch_);
    find_start_point(loaded.config);
    const auto series = agree_on_series(loaded, launch_);
    price_ = price_of_attempt(loaded, series.get());
    attempt_ = agree_on_attempt(folder_, launch_);
    if (attempt_.number == 1 && start_.is_own(folder_) && start_.step() > 0) {
      attempt_.notes.push_back(cat("No ledger tells of the attempts until step ", start_.step(),
                                   ": their energy is lost, and is not in these numbers."));
      if (launch_.rank() == 0) log_warn(attempt_.notes.back());
    }
    launch_.together([&] {
      power_->write_to(ledger_path(folder_.energy(), launch_.rank()),
                       {attempt_.number, start_.step() + 1, price_, batch_job(), series});
    });
    has_begun_ = true;
  }

  // Of an attempt that ends before it trains. A run that is new leaves no folder behind until it
  // has begun to meter itself.
  void record_failure(const std::exception& failure) {
    const Error error = as_error(failure);
    const bool is_for_all = dynamic_cast<const CollectiveError*>(&failure) != nullptr;
    const bool is_recorded = has_begun_ || is_run(folder_);
    if (!is_held_ || !is_recorded || error.code() == ExitCode::kHeld) return;
    if (!has_work_) begins_work();  // what stands there is of an attempt before
    if (launch_.rank() == 0 || !is_for_all)
      write_ending(folder_, error.code(), error.what(), launch_.rank());
  }

  void check_with_data(const Job& job) {
    if (start_.checkpoint.empty()) return;
    CheckpointState now = checkpoint_state(job, start_.step(), launch_);
    now.guard = guard_of_beginning(start_, roll_back_);
    const auto notes = check_start_point(start_, job.config(), now);
    if (launch_.rank() != 0) return;
    for (const std::string& note : notes) log_warn(note);
  }

  RunBeginning open(Job job) {
    // A new phase may have another chat template.
    Companions own = std::move(job.companions);
    if (!start_.checkpoint.empty()) job.companions = start_.manifest.state.companions;
    if (start_.checkpoint.empty() || start_.is_of_last_phase)
      for (auto& [name, text] : own) job.companions.insert_or_assign(name, std::move(text));
    std::unique_ptr<OpenedFolder> opened;
    launch_.together([&] {
      if (launch_.rank() != 0) return;
      if (job.config().train.trace && !roll_back_) remove_traces(folder_);  // its trace goes on
      opened = std::make_unique<OpenedFolder>(folder_, job.config(), start_);
    });
    return RunBeginning{std::move(job),    folder_,           std::move(start_),   std::move(held_),
                        std::move(opened), std::move(power_), std::move(attempt_), price_,
                        roll_back_};
  }

 private:
  void find_start_point(const Config& config) {
    if (found_) return;
    start_ = find_start_point_together(config, folder_, launch_);
    launch_.together([&] { check_steps(start_, config, folder_); });
    found_ = true;
  }

  // From here on an earlier attempt's end is not that of the run.
  bool begins_work() {
    has_work_ = true;
    std::error_code ignored;
    if (launch_.rank() != 0) return true;
    std::filesystem::remove(folder_.ending(), ignored);
    std::filesystem::remove(folder_.resume_at(), ignored);
    return true;
  }

  const RunFolder folder_;
  const std::optional<RollBack>& roll_back_;
  PhaseTracker& phases_;
  Launch& launch_;
  std::shared_ptr<HeldFolder> held_;
  bool has_work_ = false;
  bool is_held_ = false;    // by rank 0, as all ranks know
  bool has_begun_ = false;  // whether the ledger tells of this attempt
  bool found_ = false;
  StartPoint start_;
  std::unique_ptr<PowerLogger> power_;
  NextAttempt attempt_;
  EnergyPrice price_;
};

}  // namespace

std::optional<RunBeginning> begin_run(const LoadedConfig& given,
                                      const std::optional<RollBack>& roll_back,
                                      PhaseTracker& phases, Launch& launch) {
  const RunConfig& run = given.config.run;
  const RunFolder folder{std::filesystem::path(run.dir) / run.name};
  Beginning beginning(folder, roll_back, phases, launch);
  JobChecks checks;
  checks.precision_of_checkpoint = [&](const Config& config) {
    return precision_of_start(config, folder);
  };
  checks.has_work = [&](const LoadedConfig& loaded) { return beginning.has_work(loaded); };
  checks.with_compute = [&](const LoadedConfig& loaded, const Compute& compute) {
    beginning.start_metering(loaded, compute);
  };
  checks.with_data = [&](const Job& job) { beginning.check_with_data(job); };
  try {
    std::optional<Job> job = start_job(given, checks, phases, launch);
    if (!job) return std::nullopt;
    return beginning.open(std::move(*job));
  } catch (const std::exception& error) {
    beginning.record_failure(error);
    throw;
  }
}

CheckpointState checkpoint_state(const Job& job, int64_t step, const Launch& launch) {
  const Precision precision = job.config().train.precision;
  CheckpointState state;
  state.step = step;
  state.config = print_config(job.config(), ConfigText::kValues);
  state.tokenizer_hash = hex16(job.data.tokenizer.hash());
  state.data_fingerprint = hex16(job.data.fingerprint);
  state.num_tokens = job.num_tokens;
  state.start_token = job.data.start_token;
  state.precision = precision;
  state.weights_type = precision == Precision::kFp64 ? "F64" : "F32";
  state.num_ranks = launch.size();
  state.companions = job.companions;
  state.ranks = job.ranks;
  state.build = build_description();
  state.commit = commit();
  return state;
}

namespace {

// A tensor of the checkpoint that the model does not have would be lost without a word.
void require_all_weights(const StartPoint& start, const ParameterStore& store) {
  std::set<std::string> names;
  for (const Parameter* parameter : store.parameters()) names.insert(parameter->spec().name);
  for (const auto& tensor : start.manifest.tensors) {
    if (tensor.group != kWeights || names.contains(tensor.name)) continue;
    throw CheckpointError(cat(start.checkpoint.string(), " has weights of ", tensor.name,
                              ", which this model does not have; it is of another model"));
  }
}

void continue_from_checkpoint(const RunBeginning& run, Trainer& trainer) {
  const StartPoint& start = run.start;
  const CheckpointState& state = start.manifest.state;
  const bool weights_alone = takes_weights_alone(start, run.config());
  require_all_weights(start, trainer.store());
  load_tensors(start.checkpoint, start.manifest, trainer.store(), !weights_alone);
  trainer.set_optimizer_began(weights_alone ? start.step() : state.optimizer_began);
  trainer.set_guard(guard_of_beginning(run.start, run.roll_back));
  log_info(cat(start.is_of_last_phase ? "a new phase from " : "continuing from ",
               start.checkpoint.string(),
               weights_alone ? ", with its weights alone (resume.mode)" : ""));
}

}  // namespace

void load_beginning(const RunBeginning& run, Trainer& trainer, Launch& launch) {
  ParameterStore& store = trainer.store();
  launch.together([&] {
    if (!run.start.checkpoint.empty()) {
      continue_from_checkpoint(run, trainer);
    } else if (run.job.initial) {
      load_initial_weights(*run.job.initial, run.config().model, store);
      log_info(cat("weights of ", run.config().model.init_from));
    }
  });
  store.refresh_compute();  // collective: not within what may fail on one rank
}

}  // namespace lmtrain
