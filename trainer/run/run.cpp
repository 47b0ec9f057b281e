#include "trainer/run/run.h"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "base/batch_job.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "parallel/as_error.h"
#include "parallel/compute.h"
#include "parallel/device.h"
#include "parallel/logical_tensors.h"
#include "parallel/precision.h"
#include "parallel/rank_work.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/planning/machine_spec.h"
#include "trainer/run/deadline.h"
#include "trainer/run/run_beginning.h"
#include "trainer/run/run_ending.h"
#include "trainer/run/run_recorder.h"
#include "trainer/run/run_trace.h"
#include "trainer/run/save_schedule.h"
#include "trainer/run/stop_request.h"
#include "trainer/run/training_loop.h"
#include "trainer/run/training_memory.h"

namespace lmtrain {
namespace {

// On a processor without arithmetic in bf16 its products take many times as long as those in fp32.
void warn_of_slow_bf16(double flops, const Job& job) {
  constexpr double kMuchFaster = 4.0;
  constexpr double kNotSlow = 10e9;  // of a thread; then nothing more is measured
  const at::Device device = job.compute.device.device;
  if (!device.is_cpu() || job.config().train.precision != Precision::kBf16) return;
  if (flops > kNotSlow * job.compute.num_threads) return;
  const double in_fp32 = measure_matmul_ceiling(at::kFloat, device).flops;
  if (in_fp32 < kMuchFaster * flops) return;
  log_warn(
      cat("this processor is slow in bf16: matrix products reach ", fixed(flops / 1e9, 1),
          " GFLOP/s, and ", fixed(in_fp32 / 1e9, 1),
          " in fp32. train.precision=auto takes the faster one; a run that has a checkpoint keeps "
          "its precision"));
}

// Of all ranks together; a ceiling that one rank does not believe is none.
Ceilings measure_ceilings(const Job& job, Launch& launch) {
  const Precision precision = job.config().train.precision;
  const MatmulCeiling mine =
      measure_matmul_ceiling(compute_type_of(precision), job.compute.device.device);
  if (launch.rank() == 0) warn_of_slow_bf16(mine.flops, job);
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
  return "matmul ceiling not known, because matrix products did not keep the cores busy (other work, or "
         "a precision that this processor does not compute in)";
}

void log_beginning(const Job& job, const ParameterStore& store, const Ceilings& ceilings,
                   const Launch& launch) {
  const ModelSizes sizes = sizes_of(store);
  const bool is_in_part = sizes.num_trained < sizes.num_parameters;
  log_info(cat(job.config().model.kind, " of ", with_commas(sizes.num_parameters), " parameters, ",
               is_in_part ? cat(with_commas(sizes.num_trained), " of them trained, ") : "",
               with_commas(job.data.num_training_tokens()), " training tokens, ",
               counted(launch.size(), "rank"), " of ", counted(job.compute.num_threads, "thread"),
               " on ", job.compute.device.description, ", ", job.config().train.precision, ", ",
               ceiling_text(ceilings)));
}

std::string documents_text(const TokenFile& file) {
  return cat(counted(file.header().num_documents, "document"), " of ",
             counted(file.num_tokens(), "token"));
}

std::string amount_of(const PreparedData& text) {
  return cat(documents_text(text.train), " for training, ",
             text.validation ? documents_text(*text.validation) : "none");
}

std::string amount_of(const PreparedExamples& labelled, int64_t num_sequences) {
  const int64_t num_samples = labelled.train.size();
  return cat(
      counted(num_samples, "labelled sample"), " of at most ",
      counted(labelled.train.longest(), "token"),
      num_sequences < num_samples ? cat(", packed into ", counted(num_sequences, "sequence")) : "",
      " for training, ",
      labelled.validation ? counted(labelled.validation->size(), "sample") : "none");
}

// How much text there is, and how often the run reads it.
void log_data(const Job& job) {
  const TrainConfig& train = job.config().train;
  const auto read = static_cast<double>(train.steps) * static_cast<double>(train.global_batch_size);
  const int64_t num_sequences = job.data.train->num_samples();
  const double passes = read / static_cast<double>(num_sequences);
  log_info(
      cat("text: ",
          job.data.text ? amount_of(*job.data.text) : amount_of(*job.data.labelled, num_sequences),
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
                       config.checkpoint.keep_best, config.eval.measure};
  options.file_bytes = config.checkpoint.file_mib << 20;
  options.is_asynchronous = config.checkpoint.asynchronous;
  options.share_of_core = cores_are_busy ? kShareOfBusyCore : 1.0;
  options.tensor_size = static_cast<int>(config.parallel.tensor);
  options.timeout_seconds = config.parallel.timeout_seconds;
  options.tokenizer_json = run.job.data.tokenizer.to_json();
  options.records = {ledger_path(run.folder.energy(), launch.rank())};
  if (launch.rank() == 0) options.records.push_back(run.folder.metrics());
  if (run.held) options.before_commit = [held = run.held] { held->require_in_place(); };
  return std::make_unique<CheckpointSaver>(run.folder.checkpoints(), std::move(options), launch);
}

LoopEnd train_run(RunBeginning& run, TrainingGroups& groups, TrainingMemory& memory,
                  CheckpointSaver& saver, const std::string& command_line, Deadline& deadline,
                  PhaseTracker& phases, Launch& launch) {
  const Job& job = run.job;
  Trainer trainer(job.config(), groups.mesh, job.compute.device.device, job.num_tokens, phases);
  load_beginning(run, trainer, launch);
  const double expected = expected_save_seconds(bytes_of_a_save(trainer.store(), launch));
  deadline.expect_save(expected);
  SaveSchedule schedule(job.config().checkpoint, expected);
  launch.world().barrier();
  const Ceilings ceilings = measure_ceilings(job, launch);
  if (launch.rank() == 0) log_beginning(job, trainer.store(), ceilings, launch);
  if (launch.rank() == 0) log_data(job);
  RunRecorder recorder(run, command_line, trainer.store(), ceilings, launch);
  const StopWhenAgreed stop_when_agreed;
  try {
    return run_training_loop(
        {run, groups, trainer, memory, recorder, saver, schedule, deadline, phases, launch});
  } catch (const CollectiveError& error) {
    if (error.code() != ExitCode::kHeld) recorder.write_report_of_failure();  // else another job's
    throw;
  }
}

// Collective: a save that is under way when the run fails still counts.
void end_save(CheckpointSaver& saver) {
  try {
    saver.finish(/*must=*/false);
  } catch (const std::exception& error) {
    log_warn(cat("the save that was under way did not succeed: ", error.what()));
  }
}

// One attempt, from its start point to its end or to a roll-back, which it throws. `groups` and
// `saver` are the caller's, because they are there until a failing job has ended. The layout and
// the precision that it has chosen are kept in `loaded` for the next attempt.
ExitCode attempt(LoadedConfig& loaded, const std::string& command_line,
                 const std::optional<RollBack>& roll_back, std::optional<TrainingGroups>& groups,
                 std::unique_ptr<CheckpointSaver>& saver, Deadline& deadline, PhaseTracker& phases,
                 Launch& launch) {
  std::optional<RunBeginning> run = begin_run(loaded, roll_back, phases, launch);
  if (!run) return ExitCode::kDone;
  loaded.config.parallel = run->config().parallel;
  loaded.config.parallel.layout = LayoutMode::kManual;
  loaded.config.train.precision = run->config().train.precision;
  TrainingMemory memory(run->job.compute.device.device);
  launch.on_hang([folder = run->folder, &launch](const std::string& finding) {
    write_ending(folder, ExitCode::kHang, finding, launch.rank());
  });
  groups.emplace(run->job, roll_back ? roll_back->trace : nullptr, phases, launch);
  saver = make_saver(*run, launch);
  try {
    const LoopEnd end =
        train_run(*run, *groups, memory, *saver, command_line, deadline, phases, launch);
    if (launch.rank() == 0) {
      write_ending(run->folder, end.has_finished ? ExitCode::kDone : ExitCode::kStopped,
                   end.has_finished ? "finished" : cat("stopped ", stop_reason()), 0);
    }
    return end.code;
  } catch (RollBack& back) {
    back.held = run->held;  // no other job comes between
    back.device = run->job.compute.device.device;
    back.trace = groups->trace;
    throw;
  } catch (const std::exception& error) {
    const Error own = as_error(error);
    const bool is_for_all = dynamic_cast<const CollectiveError*>(&error) != nullptr;
    if (is_for_all) end_save(*saver);  // while the folder is held
    if (!is_for_all) launch.fail(own);
    const bool is_ours = own.code() != ExitCode::kHeld;  // else another job writes there
    if (is_ours && (launch.rank() == 0 || !is_for_all))
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
