#include "trainer/run/training_loop.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/device.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/run/budget.h"
#include "trainer/run/power_caps.h"
#include "trainer/run/renewed_series.h"
#include "trainer/run/run_evaluation.h"
#include "trainer/run/run_pauses.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_trace.h"
#include "trainer/run/slow_ranks.h"
#include "trainer/run/stop_request.h"
#include "trainer/step/replica_drift.h"
#include "trainer/step/schedule.h"

namespace lmtrain {
namespace {

// Leaves the loop once any rank was asked to stop. The model is as after a whole step then.
struct StopRequested {};

// Logs why a step was judged unusual. The metrics count it.
void say(const StepJudgement& judgement, const Launch& launch) {
  if (launch.rank() == 0 && !judgement.reason.empty()) log_warn(judgement.reason);
}

// The loop that advances steps, with what is due between them.
class Loop {
 public:
  explicit Loop(const LoopParts& parts)
      : beginning_(parts.beginning),
        job_(beginning_.job),
        config_(beginning_.config()),
        groups_(parts.groups),
        trainer_(parts.trainer),
        memory_(parts.memory),
        recorder_(parts.recorder),
        saver_(parts.saver),
        schedule_(parts.schedule),
        deadline_(parts.deadline),
        phases_(parts.phases),
        launch_(parts.launch),
        evaluation_(job_, groups_, trainer_, recorder_, phases_, launch_,
                    [this] { stop_where_asked(); }),
        series_(config_.energy),
        budget_(config_.energy, beginning_of_budget(parts)),
        state_(checkpoint_state(job_, 0, launch_)) {
    say_budget();
    const StartPoint& start = beginning_.start;
    if (start.checkpoint.empty()) return;
    if (launch_.rank() == 0) saver_.add_verified(start.checkpoint);
    if (start.is_own(beginning_.folder)) last_saved_ = start.step();
  }

  LoopEnd train() {
    int64_t done = beginning_.start.step();
    try {
      // An attempt that was stopped here has left some of it; another run's checkpoint leaves none.
      if (budget_.is_limited()) budget_.begin(recorder_.spent_by_now());
      if (budget_.is_spent()) return end_without_work(done);
      at_step(done, [&] { begin_pauses(done); });
      caps_.emplace(config_.energy, job_.compute.device, recorder_, launch_);
      const StartPoint& start = beginning_.start;
      const bool begins = start.checkpoint.empty() || start.is_of_last_phase;
      if (begins || last_saved_ == done) at_step(done, [&] { work_between_steps(done); });
      evaluation_.note_patience();
      while (done < config_.train.steps && !evaluation_.has_lost_patience()) {
        at_step(done + 1, [&] { one_step(done); });
        ++done;
        at_step(done, [&] { work_between_steps(done); });
        if (done < config_.train.steps) stop_at_budget(done);
      }
      at_step(done, [&] {
        if (done < config_.train.steps) end_early(done);
        finish(done);
      });
      return {ExitCode::kDone, /*has_finished=*/true};
    } catch (const StopRequested&) {
      at_step(done, [&] { stop(done); });
      return {ExitCode::kStopped, /*has_finished=*/false};
    }
  }

 private:
  // Work whose failure on this rank alone names the step. What all ranks know of passes as it is.
  void at_step(int64_t step, const std::function<void()>& work) {
    try {
      work();
    } catch (const CollectiveError& error) {
      // Work of rank 0 alone that a request to stop has ended (RunEvaluation).
      if (error.code() == ExitCode::kStopped) throw StopRequested();
      throw;
    } catch (const std::exception& error) {
      const Error own = as_error(error);
      const Error of_step(own.code(), cat("step ", step, ": ", own.what()));
      launch_.fail(of_step);  // before the records are closed
      throw of_step;
    }
  }

  void one_step(int64_t step) {
    const double begin = monotonic_seconds();
    const double waited = launch_.activity().waiting_seconds();
    if (beginning_.held) beginning_.held->require_not_lost();
    RankSignals signals = recorder_.begin_step(step);
    signals.speed = speed_;
    signals.due_saves = launch_.rank() == 0 && schedule_.is_due_by_time() ? 1 : 0;
    signals.finished_saves = saver_.is_finished() ? 1 : 0;
    if (launch_.rank() == 0) signals.reserve_seconds = reserve_seconds();
    if (launch_.rank() == 0) signals.new_series = series_.is_renewed() ? 1 : 0;
    if (pauses_) signals.due_pauses = pauses_->is_due() ? 1 : 0;
    const StepResult result =
        trainer_.train_step(*job_.data.train, step, signals, budget_.schedule_step());
    const double seconds = monotonic_seconds() - begin;
    speed_ = {seconds - (launch_.activity().waiting_seconds() - waited), stolen_.share(),
              recorder_.clock_limits()};
    deadline_.note_step(seconds);
    note_in_budget(step + 1, result.signals);
    recorder_.end_step(step, result, trainer_, seconds, budget_.remaining_steps());
    caps_->after_step(step + 1, seconds, saver_.is_saving());
    say(trainer_.judgement(), launch_);
    if (result.signals.new_series > 0) recorder_.take_series(series_.take(launch_));
    if (trainer_.judgement().verdict == Verdict::kRollBack)
      roll_back(step + 1, trainer_.judgement());
    stop_is_agreed_ = result.signals.stop_requests > 0;
    save_is_agreed_ = result.signals.due_saves > 0;
    pause_is_agreed_ = result.signals.due_pauses > 0;
    if (result.signals.finished_saves == launch_.size()) wait_for_save(/*must=*/false);
  }

  // Collective. What is due after the last step.
  void end_early(int64_t done) {
    recorder_.facts().patience = config_.eval.patience;
    if (const auto best = recorder_.best_validation()) {
      const std::string text =
          cat(kEndedEarly, ", after step ", done, ": in ", counted(best->num_since, "validation"),
              " the ", config_.eval.measure, " was no better than ", fixed(best->point.value, 4),
              ", first reached after step ", best->point.step, " (eval.patience).");
      log_info(text);
      recorder_.facts().notes.push_back(text);
    }
    if (config_.eval.tasks_interval == 0) evaluation_.evaluate_tasks(done);
    if (last_saved_ != done) save(done);
  }

  static Budget::Beginning beginning_of_budget(const LoopParts& parts) {
    const StartPoint& start = parts.beginning.start;
    const auto done = static_cast<double>(start.step());
    return {.spent = parts.recorder.spent_before(),
            .done = start.step(),
            .schedule_step = start.manifest.state.schedule_step.value_or(done),
            .steps = parts.beginning.config().train.steps};
  }

  // What the last validation and save will take: as much as those before, until the meters are
  // read.
  double reserve_seconds() const {
    return evaluation_.validation_seconds() + save_seconds_ + config_.energy.interval_seconds;
  }

  void say_budget() const {
    if (launch_.rank() == 0 && budget_.is_limited() && budget_.share() > 0)
      log_info(cat(budget_.text(), " by earlier attempts"));
    if (launch_.rank() == 0 && budget_.is_limited() && recorder_.facts().has_lost_energy)
      log_warn("the energy of earlier attempts is lost, and the budget counts without it");
    const auto done = static_cast<double>(beginning_.start.step());
    if (launch_.rank() != 0 || budget_.schedule_step() < done + 1) return;
    log_warn(cat(
        "an earlier budget has run through the schedule of the learning rate faster: it stands at step ",
        with_commas(std::llround(budget_.schedule_step())), " of ",
        with_commas(config_.train.steps), " after ", with_commas(beginning_.start.step()),
        " steps, and the rate goes on from there, at ",
        shortest(learning_rate(config_.schedule, config_.optimizer.lr, config_.train.steps,
                               budget_.schedule_step()))));
  }

  void note_in_budget(int64_t done, const RankSignals& signals) {
    constexpr double kWarned = 0.8;
    const bool was_below = budget_.share() < kWarned;
    budget_.note(done, recorder_.spent(signals), signals.reserve_seconds);
    if (launch_.rank() != 0 || !was_below || budget_.share() < kWarned) return;
    const auto steps = std::max<int64_t>(0, std::llround(budget_.remaining_steps()));
    log_warn(cat(budget_.text(), "; at this rate the rest is enough for ", with_commas(steps),
                 " of the ", with_commas(config_.train.steps - done), " steps that are left"));
  }

  // A batch script starts a run again that ended with ExitCode::kStopped; here that would not help.
  LoopEnd end_without_work(int64_t done) {
    if (done == 0) {
      launch_.first_works([&] {
        throw ConfigError(cat("the start alone takes more than the budget: ", budget_.text()));
      });
    }
    request_stop(cat("its budget is spent (", budget_.text(), ")"));
    is_at_budget_ = true;
    at_step(done, [&] {
      recorder_.stop_power();
      recorder_.write_report(done, false);
    });
    if (launch_.rank() == 0)
      log_info(cat("nothing is left to do within the budget: ", budget_.text(),
                   ", with this start; a larger budget continues"));
    return {ExitCode::kDone, /*has_finished=*/false};
  }

  // The same on every rank. The run may go on once its budget is larger.
  void stop_at_budget(int64_t done) {
    if (!budget_.is_spent()) return;
    at_step(done, [&] {
      if (!recorder_.has_validated(done)) evaluation_.validate(done);
    });
    is_at_budget_ = true;
    request_stop(cat(budget_.share() >= 1 ? "its budget is spent ("
                                          : "the rest of its budget is not enough for another "
                                            "step, the last validation and the save (",
                     budget_.text(), ")"));
    throw StopRequested();
  }

  // Collective. Leaves for the newest checkpoint, if there is one. A request to stop comes first:
  // the next attempt computes these steps again, and rolls back.
  void roll_back(int64_t done, const StepJudgement& judgement) {
    wait_for_save(/*must=*/false);
    bool has_checkpoint = false;
    launch_.first_works([&] {
      const std::filesystem::path& checkpoints = beginning_.folder.checkpoints();
      const int64_t interval = config_.checkpoint.interval.value_or(0);
      has_checkpoint =
          !(interval > 0 ? roll_back_to_interval(checkpoints, interval)
                         : newest_checkpoint(checkpoints, CheckpointCheck::kFilesAndValues))
               .empty();
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
    if (must_validate && !recorder_.has_validated(done)) evaluation_.validate(done);
    if (is_due(config_.eval.tasks_interval)) evaluation_.evaluate_tasks(done);
    if ((is_last || schedule_.is_due(done, save_is_agreed_)) && last_saved_ != done) {
      save(done);
      stop_where_asked();  // else one more step would be computed, and saved
    }
    if (pause_is_agreed_ && !is_last && !evaluation_.has_lost_patience()) pause(done);
  }

  // Collective. The run may begin with a pause.
  void begin_pauses(int64_t done) {
    if (!config_.energy.schedule.pause_above || done == config_.train.steps) return;
    pauses_.emplace(config_.energy, beginning_.folder, recorder_.paused_before(), launch_);
    if (launch_.any(pauses_->is_due())) pause(done);
  }

  // Collective. Saves, and waits or ends the attempt.
  void pause(int64_t done) {
    const std::string reason = pauses_->say(done);
    if (config_.energy.schedule.mode == PauseMode::kStop) {
      request_stop(reason);
      throw StopRequested();
    }
    if (done > beginning_.start.step() && last_saved_ != done) save(done);
    wait_for_save(/*must=*/false);
    pauses_->wait(phases_, [this] {
      stop_where_asked();
      if (launch_.any(launch_.rank() == 0 && series_.is_renewed()))
        recorder_.take_series(series_.take(launch_));
    });
    pause_is_agreed_ = false;
  }

  // Collective. A signal may have come to some ranks only.
  void stop_where_asked() {
    if (launch_.any(stop_is_requested())) throw StopRequested();
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
    state_.schedule_step = budget_.schedule_step();
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
    SaveTimes times;
    try {
      times = *saver_.finish(must);
    } catch (const CollectiveError& error) {
      recorder_.save_failed(state_.step, error.what());
      throw;
    }
    if (times.failure) {
      last_saved_.reset();
      recorder_.save_failed(times.step, *times.failure);
      return;
    }
    recorder_.saved(times);
    schedule_.takes(times);
    if (!config_.checkpoint.interval && launch_.rank() == 0 && !has_said_interval_) {
      has_said_interval_ = true;
      log_info(cat("checkpoint.interval = auto: a save comes about every ",
                   human_duration(schedule_.interval_seconds()), ", by what the first one took"));
    }
    deadline_.note_save(times.work_seconds);
    save_seconds_ = times.stall_seconds + times.persist_seconds;
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
      log_info(cat("stopped ", stop_reason(), " after step ", done,
                   is_at_budget_ ? "; a larger budget continues" : "; the same command continues"));
    }
  }

  void finish(int64_t step) {
    require_folder_in_place();
    RunFacts& facts = recorder_.facts();
    evaluation_.write_samples(facts);
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
  std::optional<RunPauses> pauses_;  // where the config has any
  bool pause_is_agreed_ = false;     // by all ranks, in the last step
  std::optional<RunPowerCaps> caps_;
  RunEvaluation evaluation_;
  RenewedSeries series_;
  Budget budget_;
  bool is_at_budget_ = false;
  double save_seconds_ = 0;  // the same
  CheckpointState state_;    // of the last save
  // The step of the run's newest checkpoint, which may still be written.
  std::optional<int64_t> last_saved_;
  int64_t compared_at_ = -1;     // the step after which the ranks' replicas were last compared
  bool is_thrown_away_ = false;  // the steps since the last save, by a roll-back
  bool stop_is_agreed_ = false;  // by all ranks, in the last step
  bool save_is_agreed_ = false;  // the same
  bool has_said_interval_ = false;
  RankSpeed speed_;  // in the last step
  StolenTime stolen_;
};

}  // namespace

TrainingGroups::TrainingGroups(const Job& job, std::shared_ptr<Trace> before, PhaseTracker& phases,
                               Launch& launch)
    : device_world(
          make_device_communicator(launch, job.compute.device, job.config().parallel.transport)),
      trace(start_trace(job.config().train, phases, launch.world(), device_world.get(),
                        std::move(before))),
      mesh(make_mesh(job.config().parallel, device_world.get(), launch)) {}

LoopEnd run_training_loop(const LoopParts& parts) { return Loop(parts).train(); }

}  // namespace lmtrain
