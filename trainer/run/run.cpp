#include "trainer/run/run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include <ATen/ATen.h>

#include "base/batch_job.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/compute.h"
#include "parallel/device.h"
#include "parallel/logical_tensors.h"
#include "parallel/precision.h"
#include "parallel/rank_work.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/planning/machine_spec.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/run/deadline.h"
#include "trainer/run/run_beginning.h"
#include "trainer/run/run_ending.h"
#include "trainer/run/run_recorder.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_trace.h"
#include "trainer/run/save_schedule.h"
#include "trainer/run/slow_ranks.h"
#include "trainer/run/stop_request.h"
#include "trainer/run/training_memory.h"
#include "trainer/step/replica_drift.h"

namespace lmtrain {
namespace {

// The groups that the ranks train in, and what they record of it where the config wants a trace.
struct TrainingGroups {
  TrainingGroups(const Job& job, PhaseTracker& phases, Launch& launch)
      : device_world(
            make_device_communicator(launch, job.compute.device, job.config().parallel.transport)),
        trace(start_trace(job.config().train, phases, launch.world(), device_world.get())),
        mesh(make_mesh(job.config().parallel, device_world.get(), launch)) {}

  std::unique_ptr<Communicator> device_world;  // null on the CPU
  std::shared_ptr<Trace> trace;                // null without one
  Mesh mesh;
};

// Leaves the loop once any rank was asked to stop. The model is as after a whole step then.
struct StopRequested {};

// How a step that is unusual was judged: said, and for the report counted by the metrics.
void say(const StepJudgement& judgement, const Launch& launch) {
  if (launch.rank() == 0 && !judgement.reason.empty()) log_warn(judgement.reason);
}

// The loop that advances steps, with what is due between them.
class Run {
 public:
  Run(const RunBeginning& beginning, TrainingGroups& groups, Trainer& trainer,
      TrainingMemory& memory, RunRecorder& recorder, CheckpointSaver& saver, SaveSchedule& schedule,
      Deadline& deadline, PhaseTracker& phases, Launch& launch)
      : beginning_(beginning),
        job_(beginning.job),
        config_(beginning.config()),
        groups_(groups),
        trainer_(trainer),
        memory_(memory),
        recorder_(recorder),
        saver_(saver),
        schedule_(schedule),
        deadline_(deadline),
        phases_(phases),
        launch_(launch),
        state_(checkpoint_state(job_, 0, launch)) {
    const StartPoint& start = beginning.start;
    if (start.checkpoint.empty()) return;
    if (launch.rank() == 0) saver_.add_verified(start.checkpoint);
    if (start.is_own(beginning.folder)) last_saved_ = start.step();
  }

  ExitCode train() {
    int64_t done = beginning_.start.step();
    try {
      // An attempt that was stopped here has left some of it; another run's checkpoint leaves none.
      const bool begins = beginning_.start.checkpoint.empty();
      if (begins || last_saved_ == done) at_step(done, [&] { work_between_steps(done); });
      while (done < config_.train.steps) {
        at_step(done + 1, [&] { one_step(done); });
        ++done;
        at_step(done, [&] { work_between_steps(done); });
      }
      at_step(done, [&] { finish(done); });
      return ExitCode::kDone;
    } catch (const StopRequested&) {
      at_step(done, [&] { stop(done); });
      return ExitCode::kStopped;
    }
  }

 private:
  // Work whose failure on this rank alone names the step. What all ranks know of passes as it is.
  static void at_step(int64_t step, const std::function<void()>& work) {
    try {
      work();
    } catch (const CollectiveError& error) {
      // Work of rank 0 alone that a request to stop has ended (with_model).
      if (error.code() == ExitCode::kStopped) throw StopRequested();
      throw;
    } catch (const std::exception& error) {
      const Error own = as_error(error);
      throw Error(own.code(), cat("step ", step, ": ", own.what()));
    }
  }

  void one_step(int64_t step) {
    const double begin = monotonic_seconds();
    const double waited = launch_.activity().waiting_seconds();
    RankSignals signals = recorder_.begin_step(step);
    signals.speed = speed_;
    signals.due_saves = launch_.rank() == 0 && schedule_.is_due_by_time() ? 1 : 0;
    signals.finished_saves = saver_.is_finished() ? 1 : 0;
    const StepResult result = trainer_.train_step(*job_.data.train, step, signals);
    const double seconds = monotonic_seconds() - begin;
    speed_ = {seconds - (launch_.activity().waiting_seconds() - waited), stolen_.share(),
              recorder_.clock_limits()};
    deadline_.note_step(seconds);
    recorder_.end_step(step, result, trainer_, seconds);
    say(trainer_.judgement(), launch_);
    if (trainer_.judgement().verdict == Verdict::kRollBack)
      roll_back(step + 1, trainer_.judgement());
    stop_is_agreed_ = result.signals.stop_requests > 0;
    save_is_agreed_ = result.signals.due_saves > 0;
    if (result.signals.finished_saves == launch_.size()) wait_for_save(/*must=*/false);
  }

  // Collective. Leaves for the newest checkpoint, if there is one. A request to stop comes first: the
  // next attempt computes these steps again, and rolls back.
  void roll_back(int64_t done, const StepJudgement& judgement) {
    wait_for_save(/*must=*/false);
    bool has_checkpoint = false;
    launch_.first_works([&] {
      const auto newest =
          newest_checkpoint(beginning_.folder.checkpoints(), CheckpointCheck::kFilesAndValues);
      has_checkpoint = !newest.empty();
    });
    if (launch_.any(has_checkpoint)) {
      is_thrown_away_ = true;
      stop_where_asked();
      if (launch_.rank() == 0) {
        log_warn(cat("rolling back to the newest checkpoint (", trainer_.guard().num_roll_backs + 1,
                     " of at most ", config_.train.spikes.max_roll_backs,
                     "); the batches from there to step ", done, " are skipped"));
      }
      recorder_.stop_power(/*in_order=*/false);
      throw RollBack{done, trainer_.guard(), judgement.reason, monotonic_seconds()};
    }
    if (launch_.rank() == 0)
      log_warn(cat("this run has no checkpoint yet to go back to; the update of step ", done,
                   " is skipped"));
  }

  // What is due after so many steps and has not been done yet.
  void work_between_steps(int64_t done) {
    if (stop_is_agreed_) throw StopRequested();
    const bool is_last = done == config_.train.steps;
    const auto is_due = [&](int64_t interval) {
      return is_last || (done > 0 && interval > 0 && done % interval == 0);
    };
    const int64_t drift_every = config_.train.drift_every;
    if (done > 0 && drift_every > 0 && done % drift_every == 0) require_alike(done);
    const bool must_validate = done == 0 || is_due(config_.eval.interval);
    if (must_validate && !recorder_.has_validated(done)) validate(done);
    if (is_due(config_.eval.tasks_interval)) evaluate_tasks(done);
    if ((is_last || schedule_.is_due(done, save_is_agreed_)) && last_saved_ != done) {
      save(done);
      stop_where_asked();  // else one more step would be computed, and saved
    }
  }

  // Collective. A signal may have come to some ranks only.
  void stop_where_asked() {
    if (launch_.any(stop_is_requested())) throw StopRequested();
  }

  void validate(int64_t step) {
    const RunData& data = job_.data;
    if (data.num_validation_samples == 0) return;
    const bool predicts_next_token = config_.model.traits().predicts_next_token();
    std::vector<EvaluatedSample> samples;
    const EvaluationResult result = trainer_.evaluate(*data.validation, data.num_validation_samples,
                                                      &samples, [this] { stop_where_asked(); });
    if (predicts_next_token && validation_bytes_ == 0)
      validation_bytes_ = count_validation_bytes(data);
    ValidationMetrics metrics = validation_metrics(result, predicts_next_token, validation_bytes_);
    metrics.by_source = losses_by_source(samples, data.validation_sources);
    recorder_.validation(step, metrics);
  }

  // Where the model is cut, all ranks compute it together; else rank 0 does alone. `work` calls its
  // second argument now and then, which leaves it where the run is to stop.
  using ModelWork = std::function<void(Communicator* ranks, const std::function<void()>& pause)>;
  void with_model(const ModelWork& work) {
    const bool is_cut = groups_.mesh.tensor().size() > 1 || trainer_.store().shards_weights();
    if (is_cut) {
      work(&launch_.world(), [this] { stop_where_asked(); });
    } else {
      launch_.first_works([&] { work(nullptr, leave_where_asked); });
    }
  }

  // The same within work of rank 0 alone.
  static void leave_where_asked() {
    if (stop_is_requested()) throw Error(ExitCode::kStopped, "stopped");
  }

  void evaluate_tasks(int64_t step) {
    const PhaseScope scope(phases_, Phase::kEvaluation);
    for (const TaskConfig& task : config_.eval.tasks) {
      if (recorder_.has_evaluated(task.shown_name(), step)) continue;
      with_model([&](Communicator* ranks, const std::function<void()>& pause) {
        recorder_.task(step, evaluate_on(task, trainer_.model(), job_, ranks, pause));
      });
    }
  }

  // Collective.
  void require_alike(int64_t step) {
    if (config_.train.drift_every == 0 || compared_at_ == step) return;
    require_no_drift(trainer_.store(), groups_.mesh, step);
    compared_at_ = step;
  }

  // Training goes on once the saver has its copy (trainer/checkpoint/checkpoint_saver.h).
  void save(int64_t step) {
    require_alike(step);
    if (!beginning_.roll_back) memory_.note_once(planned_memory().training(), launch_);
    const PhaseScope scope(phases_, Phase::kCheckpoint);
    wait_for_save(/*must=*/false);
    require_folder_in_place();
    schedule_.begins();
    state_.step = step;
    state_.guard = trainer_.guard();
    state_.optimizer_began = trainer_.optimizer_began();
    recorder_.go_with(state_);
    saver_.start(trainer_.store(), groups_.mesh.tensor(), state_);
    last_saved_ = step;
    if (groups_.trace) write_trace(*groups_.trace, beginning_.folder, launch_.rank());
  }

  // Collective.
  void wait_for_save(bool must) {
    if (!saver_.is_saving()) return;
    const PhaseScope scope(phases_, Phase::kCheckpoint);
    const std::optional<SaveTimes> times = saver_.finish(must);
    if (!times) {
      last_saved_.reset();
      return;
    }
    recorder_.saved(*times);
    schedule_.takes(*times);
    deadline_.note_save(times->work_seconds);
  }

  MemoryEstimate planned_memory() const {
    return estimate_memory(config_.model,
                           memory_plan(config_, config_.model.vocab_size, launch_.size(),
                                       launch_.local_size(), job_.compute.device.device.is_cpu()));
  }

  void require_folder_in_place() {
    launch_.together([&] {
      if (beginning_.held) beginning_.held->require_in_place();
    });
  }

  // Saves what no checkpoint has yet, and ends the attempt.
  void stop(int64_t done) {
    if (last_saved_ != done && !is_thrown_away_) save(done);
    wait_for_save(/*must=*/true);
    recorder_.stop_power(!is_thrown_away_);
    if (is_thrown_away_) {
      if (launch_.rank() == 0)
        log_info(cat("stopped ", stop_reason(), " before a roll-back of step ", done + 1,
                     "; the same command continues with it"));
      return;
    }
    recorder_.write_report(done, false);
    if (launch_.rank() == 0) {
      log_info(
          cat("stopped ", stop_reason(), " after step ", done, "; the same command continues"));
    }
  }

  void finish(int64_t step) {
    require_folder_in_place();
    RunFacts& facts = recorder_.facts();
    if (launch_.rank() == 0 && config_.eval.samples > 0) {
      log_info(cat("writing ", counted(config_.eval.samples, "sample"), " (eval.samples)"));
    }
    with_model([&](Communicator* ranks, const std::function<void()>& pause) {
      const PhaseScope scope(phases_, Phase::kSamples);
      facts.samples = sample_texts(trainer_.model(), job_.data, config_, job_.compute.device.device,
                                   ranks, pause);
    });
    launch_.first_works([&] {
      const PhaseScope scope(phases_, Phase::kEvaluation);
      add_baseline(facts, job_.data, config_.model.traits().objective, leave_where_asked);
    });
    wait_for_save(/*must=*/true);
    recorder_.stop_power();
    launch_.world().barrier();
    const EmissionsReport report = recorder_.write_report(step, true);
    launch_.first_works([&] {
      write_file_durably(beginning_.folder.summary(), to_json(facts));
      log_summary(facts, report, beginning_.folder);
      if (groups_.trace) log_trace(*groups_.trace, beginning_.folder);
    });
  }

  const RunBeginning& beginning_;
  const Job& job_;
  const Config& config_;
  TrainingGroups& groups_;
  Trainer& trainer_;
  TrainingMemory& memory_;
  RunRecorder& recorder_;
  CheckpointSaver& saver_;
  SaveSchedule& schedule_;
  Deadline& deadline_;
  PhaseTracker& phases_;
  Launch& launch_;
  CheckpointState state_;  // of the last save
  // The step of the run's newest checkpoint, which may still be written.
  std::optional<int64_t> last_saved_;
  int64_t compared_at_ = -1;     // the step after which the ranks' replicas were last compared
  bool is_thrown_away_ = false;  // the steps since the last save, by a roll-back
  bool stop_is_agreed_ = false;  // by all ranks, in the last step
  bool save_is_agreed_ = false;  // the same
  RankSpeed speed_;              // in the last step
  StolenTime stolen_;
  int64_t validation_bytes_ = 0;  // counted at the first validation
};

// Of all ranks together; a ceiling that one rank does not believe is none.
Ceilings measure_ceilings(const Job& job, Launch& launch) {
  const Precision precision = job.config().train.precision;
  const MatmulCeiling mine =
      measure_matmul_ceiling(compute_type_of(precision), job.compute.device.device);
  const bool has_peak = !job.compute.device.device.is_cpu() && precision == Precision::kBf16;
  const double peak = has_peak ? machine_of_gpu(job.compute.device.description).peak_flops : 0.0;
  const at::Tensor sums = at::tensor(
      {mine.flops, peak, mine.is_believed ? 0.0 : 1.0, peak > 0 ? 0.0 : 1.0}, at::kDouble);
  launch.world().all_reduce(sums, ReduceOp::kSum)->wait();
  const double* const of_all = sums.data_ptr<double>();
  Ceilings ceilings;
  if (of_all[2] == 0) ceilings.matmul = of_all[0];
  if (of_all[3] == 0) ceilings.data_sheet = of_all[1];
  return ceilings;
}

// What this rank writes in a save: its part of the weights and of the optimizer's state.
double bytes_of_a_save(const ParameterStore& store, const Launch& launch) {
  double bytes = 0;
  for (const auto& unit : store.units()) {
    const auto buffers = static_cast<double>(stored_buffers(*unit).size());
    for (const auto& parameter : unit->parameters()) {
      bytes += buffers * static_cast<double>(elementSize(store.master_type())) *
               static_cast<double>(c10::multiply_integers(parameter->spec().logical_shape));
    }
  }
  return bytes / launch.size();
}

std::string ceiling_text(const Ceilings& ceilings) {
  if (ceilings.matmul) return cat("matmul ceiling ", fixed(*ceilings.matmul / 1e9, 0), " GFLOP/s");
  return "matmul ceiling not known, because the threads did not have their cores to themselves";
}

void log_beginning(const Job& job, int64_t num_parameters, const Ceilings& ceilings,
                   const Launch& launch) {
  log_info(cat(job.config().model.kind, " of ", with_commas(num_parameters), " parameters, ",
               with_commas(job.data.prepared.train.num_tokens()), " training tokens, ",
               counted(launch.size(), "rank"), " of ", counted(job.compute.num_threads, "thread"),
               " on ", job.compute.device.description, ", ", job.config().train.precision, ", ",
               ceiling_text(ceilings)));
}

std::string documents_text(const TokenFile& file) {
  return cat(counted(file.header().num_documents, "document"), " of ",
             counted(file.num_tokens(), "token"));
}

// How much text there is, and how often the run reads it.
void log_data(const Job& job) {
  const TrainConfig& train = job.config().train;
  const PreparedData& prepared = job.data.prepared;
  const auto read = static_cast<double>(train.steps) * static_cast<double>(train.global_batch_size);
  const double passes = read / static_cast<double>(job.data.train->num_samples());
  log_info(cat("text: ", documents_text(prepared.train), " for training, ",
               prepared.validation ? documents_text(*prepared.validation) : "none",
               " for validation; ", with_commas(train.steps), " steps read ",
               fixed(passes, passes < 10 ? 2 : 0), " times as much as there is for training"));
}

std::unique_ptr<CheckpointSaver> make_saver(const RunBeginning& run, Launch& launch) {
  const Config& config = run.config();
  const Compute& compute = run.job.compute;
  // Threads that wait for one that a saver holds up lose as much as that one.
  constexpr double kShareOfBusyCore = 0.05;
  const bool cores_are_busy =
      launch.any(compute.device.device.is_cpu() &&
                 compute.num_threads >= static_cast<int>(compute.cores.size()));
  CheckpointSaver::Options options;
  options.retention = {config.checkpoint.keep, config.checkpoint.keep_every,
                       config.checkpoint.keep_best};
  options.file_bytes = config.checkpoint.file_mib << 20;
  options.is_asynchronous = config.checkpoint.asynchronous;
  options.share_of_core = cores_are_busy ? kShareOfBusyCore : 1.0;
  options.tensor_size = static_cast<int>(config.parallel.tensor);
  options.timeout_seconds = config.parallel.timeout_seconds;
  options.tokenizer_json = run.job.data.prepared.tokenizer.to_json();
  options.records = {ledger_path(run.folder.energy(), launch.rank())};
  if (launch.rank() == 0) options.records.push_back(run.folder.metrics());
  if (run.held) options.before_commit = [held = run.held] { held->require_in_place(); };
  return std::make_unique<CheckpointSaver>(run.folder.checkpoints(), std::move(options), launch);
}

ExitCode train_run(RunBeginning& run, TrainingGroups& groups, TrainingMemory& memory,
                   CheckpointSaver& saver, const std::string& command_line, Deadline& deadline,
                   PhaseTracker& phases, Launch& launch) {
  const Job& job = run.job;
  Trainer trainer(job.config(), groups.mesh, job.compute.device.device, job.num_tokens, phases);
  load_beginning(run, trainer, launch);
  const double expected = expected_save_seconds(bytes_of_a_save(trainer.store(), launch));
  deadline.expect_save(expected);
  SaveSchedule schedule(job.config().checkpoint, expected);
  launch.world().barrier();
  const int64_t num_parameters = trainer.store().num_logical_elements();
  const Ceilings ceilings = measure_ceilings(job, launch);
  if (launch.rank() == 0) log_beginning(job, num_parameters, ceilings, launch);
  if (launch.rank() == 0) log_data(job);
  RunRecorder recorder(run, command_line, trainer.store(), ceilings, launch);
  const StopWhenAgreed stop_when_agreed;
  return Run(run, groups, trainer, memory, recorder, saver, schedule, deadline, phases, launch)
      .train();
}

// Collective: a save that is under way when the run fails still counts.
void end_save(CheckpointSaver& saver) {
  try {
    saver.finish(/*must=*/false);
  } catch (const std::exception& error) {
    log_warn(cat("the save that was under way did not succeed: ", error.what()));
  }
}

// A roll-back that cannot begin anew leaves a record of the reason, as a run that fails does.
std::optional<RunBeginning> begin_attempt(const LoadedConfig& loaded,
                                          const std::optional<RollBack>& roll_back,
                                          PhaseTracker& phases, Launch& launch) {
  try {
    return begin_run(loaded, roll_back, phases, launch);
  } catch (const std::exception& error) {
    const Error own = as_error(error);
    const RunConfig& run = loaded.config.run;
    if (roll_back && launch.rank() == 0)
      write_ending({std::filesystem::path(run.dir) / run.name}, own.code(), own.what(), 0);
    throw;
  }
}

// One attempt, from its start point to its end or to a roll-back, which it throws. `groups` and
// `saver` are the caller's, because they are there until a failing job has ended. The layout and the
// precision that it has chosen are kept in `loaded` for the next attempt.
ExitCode attempt(LoadedConfig& loaded, const std::string& command_line,
                 const std::optional<RollBack>& roll_back, std::optional<TrainingGroups>& groups,
                 std::unique_ptr<CheckpointSaver>& saver, Deadline& deadline, PhaseTracker& phases,
                 Launch& launch) {
  std::optional<RunBeginning> run = begin_attempt(loaded, roll_back, phases, launch);
  if (!run) return ExitCode::kDone;
  loaded.config.parallel = run->config().parallel;
  loaded.config.parallel.layout = LayoutMode::kManual;
  loaded.config.train.precision = run->config().train.precision;
  TrainingMemory memory(run->job.compute.device.device);
  launch.on_hang([folder = run->folder, &launch](const std::string& finding) {
    write_ending(folder, ExitCode::kHang, finding, launch.rank());
  });
  groups.emplace(run->job, phases, launch);
  saver = make_saver(*run, launch);
  try {
    const ExitCode code =
        train_run(*run, *groups, memory, *saver, command_line, deadline, phases, launch);
    if (launch.rank() == 0) {
      write_ending(run->folder, code,
                   code == ExitCode::kDone ? "finished" : cat("stopped ", stop_reason()), 0);
    }
    return code;
  } catch (RollBack& back) {
    back.held = run->held;  // no other job comes between
    back.device = run->job.compute.device.device;
    throw;
  } catch (const std::exception& error) {
    const Error own = as_error(error);
    const bool is_for_all = dynamic_cast<const CollectiveError*>(&error) != nullptr;
    if (is_for_all) end_save(*saver);  // while the folder is held
    // A file system that hangs must not hold the job.
    if (!is_for_all) launch.abort_later(own.code());
    if (launch.rank() == 0 || !is_for_all)
      write_ending(run->folder, own.code(), own.what(), launch.rank());
    // The trace of a hang above all. The power logger has ended with the recorder.
    if (groups->trace) write_trace(*groups->trace, run->folder, launch.rank());
    throw;
  }
}

}  // namespace

ExitCode run_training(const LoadedConfig& given, const std::string& command_line, Launch& launch) {
  LoadedConfig loaded = given;
  PhaseTracker phases;
  const std::optional<BatchJob> batch = batch_job();
  Deadline deadline(loaded.config.run, batch);
  if (batch && launch.rank() == 0) log_info(to_text(*batch));
  const FollowedPhases followed(launch.activity(), phases);
  watch(loaded.config.parallel, launch);
  std::optional<TrainingGroups> groups;
  std::unique_ptr<CheckpointSaver> saver;
  return work_or_end_job(launch, [&] {
    std::optional<RollBack> roll_back;
    for (;;) {
      try {
        return attempt(loaded, command_line, roll_back, groups, saver, deadline, phases, launch);
      } catch (const RollBack& back) {
        roll_back = back;
      }
      loaded.config.run.resume = "auto";  // never has been obeyed
      saver.reset();
      groups.reset();
      release_unused_memory(roll_back->device);
    }
  });
}

}  // namespace lmtrain
