#include "trainer/run/run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include <ATen/ATen.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/compute.h"
#include "parallel/precision.h"
#include "parallel/rank_work.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/planning/machine_spec.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/run/run_beginning.h"
#include "trainer/run/run_recorder.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_trace.h"
#include "trainer/run/stop_signal.h"
#include "trainer/run/training_memory.h"

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

// The loop that advances steps, with what is due between them.
class Run {
 public:
  Run(const RunBeginning& beginning, TrainingGroups& groups, Trainer& trainer,
      TrainingMemory& memory, RunRecorder& recorder, PhaseTracker& phases, Launch& launch)
      : beginning_(beginning),
        job_(beginning.job),
        config_(beginning.config()),
        groups_(groups),
        trainer_(trainer),
        memory_(memory),
        recorder_(recorder),
        phases_(phases),
        launch_(launch),
        saver_(beginning.folder.checkpoints(), config_.checkpoint.keep, launch) {
    const std::filesystem::path& checkpoint = beginning.start.checkpoint;
    if (launch.rank() == 0 && !checkpoint.empty()) saver_.add_verified(checkpoint);
  }

  ExitCode train() {
    const int64_t steps = config_.train.steps;
    bool stopped = false;
    int64_t done = beginning_.start.step();
    if (beginning_.start.checkpoint.empty()) {
      at_step(0, [&] {
        validate(0);
        if (steps == 0) save(0, /*must=*/true);
      });
    }
    for (; done < steps && !stopped; ++done)
      at_step(done + 1, [&] { stopped = advance_from(done); });
    // A run that was stopped at what is its last step now has not validated there.
    if (done == steps && !recorder_.has_validated(done)) at_step(done, [&] { validate(done); });
    if (stopped && done < steps) {
      recorder_.stop_power();
      recorder_.write_report(done, false);
      if (launch_.rank() == 0)
        log_info(cat("stopped on request after step ", done, "; the same command continues"));
      return ExitCode::kStopped;
    }
    at_step(done, [&] { finish(done); });
    return ExitCode::kDone;
  }

 private:
  // Work whose failure on this rank alone names the step. What all ranks know of passes as it is.
  static void at_step(int64_t step, const std::function<void()>& work) {
    try {
      work();
    } catch (const CollectiveError&) {
      throw;
    } catch (const std::exception& error) {
      const Error own = as_error(error);
      throw Error(own.code(), cat("step ", step, ": ", own.what()));
    }
  }

  // One step and what is due after it. Returns whether any rank was asked to stop; then the step is
  // saved.
  bool advance_from(int64_t done) {
    const bool stopped = one_step(done).signals.stop_requests > 0;
    const int64_t now = done + 1;
    const bool last = now == config_.train.steps;
    const auto due = [&](int64_t interval) {
      return last || (interval > 0 && now % interval == 0);
    };
    if (due(config_.eval.interval)) validate(now);
    if (due(config_.eval.tasks_interval)) evaluate_tasks(now);
    if (stopped || due(config_.checkpoint.interval)) {
      save(now, /*must=*/stopped || last);
      if (groups_.trace) write_trace(*groups_.trace, beginning_.folder, launch_.rank());
    }
    return stopped;
  }

  StepResult one_step(int64_t step) {
    const double begin = monotonic_seconds();
    const StepResult result =
        trainer_.train_step(*job_.data.train, step, recorder_.begin_step(step));
    recorder_.end_step(step, result, monotonic_seconds() - begin);
    return result;
  }

  void validate(int64_t step) {
    const RunData& data = job_.data;
    if (data.num_validation_samples == 0) return;
    const bool predicts_next_token = config_.model.traits().predicts_next_token();
    std::vector<EvaluatedSample> samples;
    const EvaluationResult result =
        trainer_.evaluate(*data.validation, data.num_validation_samples, &samples);
    if (predicts_next_token && validation_bytes_ == 0)
      validation_bytes_ = count_validation_bytes(data);
    ValidationMetrics metrics = validation_metrics(result, predicts_next_token, validation_bytes_);
    metrics.by_source = losses_by_source(samples, data.validation_sources);
    recorder_.validation(step, metrics);
  }

  // Where the model is cut, all ranks compute it together; else rank 0 does alone.
  void with_model(const std::function<void(Communicator*)>& work) {
    const bool is_cut = groups_.mesh.tensor().size() > 1 || trainer_.store().shards_weights();
    if (is_cut) {
      work(&launch_.world());
    } else {
      launch_.first_works([&] { work(nullptr); });
    }
  }

  void evaluate_tasks(int64_t step) {
    const PhaseScope scope(phases_, Phase::kEvaluation);
    for (const TaskConfig& task : config_.eval.tasks) {
      with_model([&](Communicator* ranks) {
        recorder_.task(step, evaluate_on(task, trainer_.model(), job_, ranks));
      });
    }
  }

  void save(int64_t step, bool must) {
    memory_.note_once(planned_memory().training(), launch_);
    const PhaseScope scope(phases_, Phase::kCheckpoint);
    require_folder_in_place();
    CheckpointState state = checkpoint_state(job_, step, launch_);
    recorder_.go_with(state);
    const bool saved = saver_.save(trainer_.store(), groups_.mesh.tensor(), state,
                                   job_.data.prepared.tokenizer.to_json(), must);
    if (saved) recorder_.after_save(step);
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

  void finish(int64_t step) {
    require_folder_in_place();
    RunFacts& facts = recorder_.facts();
    if (launch_.rank() == 0 && config_.eval.samples > 0) {
      log_info(cat("writing ", counted(config_.eval.samples, "sample"), " (eval.samples)"));
    }
    with_model([&](Communicator* ranks) {
      const PhaseScope scope(phases_, Phase::kSamples);
      facts.samples =
          sample_texts(trainer_.model(), job_.data, config_, job_.compute.device.device, ranks);
    });
    launch_.first_works([&] {
      const PhaseScope scope(phases_, Phase::kEvaluation);
      add_baseline(facts, job_.data, config_.model.traits().objective);
    });
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
  PhaseTracker& phases_;
  Launch& launch_;
  CheckpointSaver saver_;
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

ExitCode train_run(RunBeginning& run, TrainingGroups& groups, TrainingMemory& memory,
                   const std::string& command_line, PhaseTracker& phases, Launch& launch) {
  const Job& job = run.job;
  Trainer trainer(job.config(), groups.mesh, job.compute.device.device, job.num_tokens, phases);
  load_beginning(run, trainer.store(), launch);
  launch.world().barrier();
  const int64_t num_parameters = trainer.store().num_logical_elements();
  const Ceilings ceilings = measure_ceilings(job, launch);
  if (launch.rank() == 0) log_beginning(job, num_parameters, ceilings, launch);
  if (launch.rank() == 0) log_data(job);
  RunRecorder recorder(run, command_line, trainer.store(), ceilings, launch);
  const StopAfterStep stop_after_step;
  return Run(run, groups, trainer, memory, recorder, phases, launch).train();
}

}  // namespace

ExitCode run_training(const LoadedConfig& loaded, const std::string& command_line, Launch& launch) {
  PhaseTracker phases;
  launch.world().set_timeout(loaded.config.parallel.timeout_seconds);
  std::optional<TrainingGroups> groups;  // made within, and there until a failing job has ended
  return work_or_end_job(launch, [&] {
    std::optional<RunBeginning> run = begin_run(loaded, phases, launch);
    if (!run) return ExitCode::kDone;
    TrainingMemory memory(run->job.compute.device.device);
    groups.emplace(run->job, phases, launch);
    try {
      return train_run(*run, *groups, memory, command_line, phases, launch);
    } catch (...) {
      // The trace of a hang above all. The power logger has ended with the recorder.
      if (groups->trace) write_trace(*groups->trace, run->folder, launch.rank());
      throw;
    }
  });
}

}  // namespace lmtrain
