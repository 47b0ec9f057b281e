#include "trainer/run/run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include <ATen/ATen.h>

#include "base/build_info.h"
#include "base/config_writer.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory_watch.h"
#include "base/text.h"
#include "models/cpu_capability.h"
#include "models/flops.h"
#include "parallel/as_error.h"
#include "parallel/compute.h"
#include "parallel/precision.h"
#include "parallel/rank_work.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/checkpoint/resume_compatibility.h"
#include "trainer/checkpoint/start_point.h"
#include "trainer/config/run_folder.h"
#include "trainer/interchange/interchange.h"
#include "trainer/planning/choose_layout.h"
#include "trainer/planning/feasibility.h"
#include "trainer/run/metrics.h"
#include "trainer/run/run_power.h"
#include "trainer/run/run_records.h"
#include "trainer/run/run_report.h"
#include "trainer/run/run_trace.h"
#include "trainer/run/stop_signal.h"
#include "trainer/start/run_data.h"
#include "trainer/step/trainer.h"

namespace lmtrain {
namespace {

class Run {
 public:
  Run(const LoadedConfig& loaded, std::string command_line, Launch& launch)
      : loaded_(loaded),
        config_(loaded_.config),
        command_line_(std::move(command_line)),
        launch_(launch),
        folder_{std::filesystem::path(config_.run.dir) / config_.run.name},
        saver_(folder_.checkpoints(), config_.checkpoint.keep, launch) {}

  ExitCode execute() {
    launch_.together([&] { initial_ = adopt_initial_model(loaded_); });
    const bool has_auto_layout = config_.parallel.layout == LayoutMode::kAuto;
    if (has_auto_layout) {
      compute_ = set_up_compute(config_.parallel, launch_);
      choose_layout(loaded_, compute_, launch_);
    }
    launch_.together([&] { check_before_data(loaded_, launch_.size()); });
    start_ = find_start_point_together(config_, folder_, launch_);
    if (is_finished()) {
      launch_.together([&] { check_config_of_finished_run(); });
      if (launch_.rank() == 0) {
        log_info(
            cat("run ", config_.run.name, " has finished its ", config_.train.steps,
                " steps; a larger train.steps extends it. Report: ", folder_.report().string()));
      }
      return ExitCode::kDone;
    }
    if (!has_auto_layout) compute_ = set_up_compute(config_.parallel, launch_);
    open_data();
    open_folder();
    make_trainer();
    launch_.world().set_timeout(config_.parallel.timeout_seconds);
    grid_ = grid_intensity(config_.energy);
    power_ =
        start_power_logger(config_.energy, folder_, compute_, start_.step() + 1, phases_, launch_);
    reporter_.emplace(folder_, config_.energy, launch_.world(), OnDamagedLedger::kWarn);
    earlier_joules_ = reporter_->sum_up().energy.joules;
    write_provenance(folder_, command_line_, start_, *data_, compute_, launch_);
    return train();
  }

  // What a run that fails leaves: the energy up to here, and the trace, of a hang above all.
  void close_records() {
    if (power_) power_->stop();
    write_trace();
  }

 private:
  void write_trace() {
    if (trace_) lmtrain::write_trace(*trace_, folder_, launch_.rank());
  }

  bool is_finished() const {
    return !start_.checkpoint.empty() && std::filesystem::exists(folder_.summary()) &&
           start_.step() >= config_.train.steps;
  }

  // A finished run that is started again may differ in what a resumed one may.
  void check_config_of_finished_run() {
    Config before =
        parse_config(start_.manifest.state.config, start_.checkpoint.string() + "/manifest.json")
            .config;
    Config now = config_;
    if (now.model.vocab_size == 0) now.model.vocab_size = before.model.vocab_size;
    check_resume_compatibility(before, now);
  }

  void open_data() {
    data_.emplace(open_run_data(config_, compute_.num_threads * launch_.local_size(), launch_));
    launch_.together([&] {
      num_tokens_ = std::max(tokenizer().vocab_size(), initial_ ? initial_->num_tokens : 0);
      if (config_.model.vocab_size == 0) config_.model.vocab_size = num_tokens_;
      check_before_training(loaded_, config_, num_tokens_, data_->train->num_samples(),
                            launch_.size(), launch_.local_size(),
                            compute_.device.free_memory_bytes);
      if (start_.checkpoint.empty()) return;
      const auto notes = check_start_point(start_, config_, state(start_.step()));
      if (launch_.rank() != 0) return;
      for (const std::string& note : notes) log_warn(note);
    });
  }

  void open_folder() {
    launch_.together([&] {
      if (launch_.rank() != 0) return;
      make_folders(folder_.checkpoints());
      make_folders(folder_.energy());
      lock_.emplace(folder_);
      check_still_where_it_was();
      if (config_.train.trace) remove_traces(folder_);
      remove_unfinished_checkpoints(folder_.checkpoints());
      if (!start_.checkpoint.empty()) saver_.add_verified(start_.checkpoint);
      open_log_file(folder_.log());
      std::filesystem::remove(folder_.summary());  // a larger train.steps extends a finished run
      write_file_durably(folder_.config(), print_config(config_));
      metrics_.emplace(folder_.metrics(), start_.checkpoint.empty() ? -1 : start_.step());
      continue_facts();
    });
  }

  // While this job prepared its data another one may have held the folder and trained on.
  void check_still_where_it_was() {
    if (list_checkpoints(folder_.checkpoints()) == start_.own_checkpoints) return;
    throw ConfigError(cat("another job has trained ", folder_.path.string(),
                          " while this one was starting; start it again to continue from there"));
  }

  // What earlier attempts of this run knew of its beginning; or where another run's checkpoint gave
  // it one.
  void continue_facts() {
    const bool is_own = start_.checkpoint.parent_path() == folder_.checkpoints();
    if (is_own && std::filesystem::exists(folder_.facts())) {
      const RunFacts before = parse_run_facts(read_file(folder_.facts()));
      facts_.started = before.started;
      facts_.inherited = before.inherited;
    }
    if (facts_.started.empty()) facts_.started = utc_now();
    if (start_.checkpoint.empty() || is_own) return;
    const CheckpointState& from = start_.manifest.state;
    facts_.inherited = Inherited{start_.checkpoint.string(), from.step, from.tokens, from.joules};
  }
  Inherited inherited() const { return facts_.inherited.value_or(Inherited{}); }

  void make_trainer() {
    device_world_ = make_device_communicator(launch_, compute_.device, config_.parallel.transport);
    trace_ = start_trace(config_.train, phases_, launch_.world(), device_world_.get());
    Communicator& device_world = device_world_ ? *device_world_ : launch_.world();
    if (compute_.device.device.is_cpu()) memory_.emplace();
    mesh_.emplace(launch_.world(), device_world, static_cast<int>(config_.parallel.tensor),
                  config_.parallel.check);
    trainer_.emplace(config_, *mesh_, compute_.device.device, num_tokens_, phases_);
    launch_.together([&] {
      if (!start_.checkpoint.empty()) {
        load_tensors(start_.checkpoint, start_.manifest, trainer_->store(), true);
        log_info(cat("continuing from ", start_.checkpoint.string()));
      } else if (initial_) {
        load_initial_weights(*initial_, trainer_->store());
        log_info(cat("weights of ", config_.model.init_from));
      }
    });
    trainer_->store().refresh_compute();  // collective: not within what may fail on one rank
    launch_.world().barrier();
    const at::Tensor flops = at::tensor(
        {measure_matmul_flops(compute_type_of(config_.train.precision), compute_.device.device)},
        at::kDouble);
    launch_.world().all_reduce(flops, ReduceOp::kSum)->wait();
    ceiling_flops_ = flops.item<double>();
    if (launch_.rank() != 0) return;
    log_info(cat(config_.model.kind, " of ", with_commas(trainer_->store().num_logical_elements()),
                 " parameters, ", with_commas(data_->prepared.train.num_tokens()),
                 " training tokens, ", launch_.size(),
                 launch_.size() == 1 ? " rank of " : " ranks of ", compute_.num_threads,
                 compute_.num_threads == 1 ? " thread on " : " threads on ",
                 compute_.device.description, ", ", config_.train.precision, ", matmul ceiling ",
                 fixed(ceiling_flops_ / 1e9, 0), " GFLOP/s"));
  }

  ExitCode train() {
    const int64_t steps = config_.train.steps;
    bool stopped = launch_.any(stop_signal_received());
    int64_t done = start_.step();
    if (start_.checkpoint.empty() && !stopped) {
      at_step(0, [&] {
        validate(0);
        if (steps == 0) save(0, /*must=*/true);
      });
    }
    for (; done < steps && !stopped; ++done)
      at_step(done + 1, [&] { stopped = advance_from(done); });
    if (stopped && done < steps) {
      power_->stop();
      write_report(done, false);
      if (launch_.rank() == 0)
        log_info(cat("stopped on request after step ", done, "; the same command continues"));
      return ExitCode::kStopped;
    }
    at_step(done, [&] { finish(done); });
    return ExitCode::kDone;
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
    if (stopped || due(config_.checkpoint.interval)) {
      save(now, /*must=*/stopped || last);
      write_trace();
    }
    return stopped;
  }

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

  StepResult one_step(int64_t step) {
    const double begin = monotonic_seconds();
    power_->set_step(step + 1);
    const StepResult result = trainer_->train_step(
        *data_->train, step, {stop_signal_received(), power_->recent_watts(), power_->joules()});
    attempt_joules_ = result.signals.joules;
    if (launch_.rank() == 0) record(step + 1, result, monotonic_seconds() - begin);
    return result;
  }

  void record(int64_t step, const StepResult& result, double seconds) {
    StepMetrics m;
    m.step = step;
    m.tokens = metrics_->tokens() + result.counts.tokens;
    m.result = result;
    m.step_seconds = seconds;
    m.tokens_per_second = static_cast<double>(result.counts.tokens) / seconds;
    targets_per_token_ = static_cast<double>(result.counts.targets) /
                         static_cast<double>(std::max<int64_t>(1, result.counts.tokens));
    m.matmul_share = m.tokens_per_second * flops_per_token() / ceiling_flops_;
    m.emissions_g = emissions_grams(result.signals.joules, config_.energy.pue, grid_.g_per_kwh);
    metrics_->step(m, config_.train.steps);
  }

  double flops_per_token() const {
    return training_flops_per_token(config_.model, config_.data.sequence_length,
                                    targets_per_token_);
  }

  void validate(int64_t step) {
    if (data_->num_validation_samples == 0) return;
    const EvaluationResult result =
        trainer_->evaluate(*data_->validation, data_->num_validation_samples);
    ValidationMetrics metrics;
    metrics.loss = result.loss;
    if (config_.model.is_causal()) {
      if (validation_bytes_ == 0) validation_bytes_ = count_validation_bytes(*data_);
      const double bits = result.loss * static_cast<double>(result.counts.targets) / std::log(2.0);
      metrics.bits_per_byte = bits / static_cast<double>(std::max<int64_t>(1, validation_bytes_));
    } else {
      metrics.masked_accuracy = result.accuracy;
    }
    if (result.counts.sentences > 0) {
      metrics.sentence_loss = result.sentence_loss;
      metrics.sentence_accuracy = result.sentence_accuracy;
    }
    if (metrics_) metrics_->validation(step, metrics);
  }

  CheckpointState state(int64_t step) const {
    CheckpointState state;
    state.step = step;
    state.config = print_config(config_);
    state.tokenizer_hash = hex16(tokenizer().hash());
    state.data_fingerprint = hex16(data_->fingerprint);
    state.num_tokens = num_tokens_;
    state.precision = config_.train.precision;
    state.weights_type = config_.train.precision == Precision::kFp64 ? "F64" : "F32";
    state.num_ranks = launch_.size();
    state.num_threads = compute_.num_threads;
    state.build = build_description();
    state.cpu_capability = cpu_capability();
    state.commit = commit();
    if (metrics_) {  // rank 0, which writes the manifest
      state.tokens = inherited().tokens + metrics_->tokens();
      state.seconds = metrics_->seconds();
      state.joules = inherited().joules + earlier_joules_ + attempt_joules_;
    }
    return state;
  }

  MemoryEstimate planned_memory() const {
    return estimate_memory(config_.model,
                           memory_plan(config_, config_.model.vocab_size, launch_.size(),
                                       launch_.local_size(), compute_.device.device.is_cpu()));
  }

  // Before the first save, whose files take memory of their own.
  void note_training_memory() {
    if (is_memory_noted_) return;
    is_memory_noted_ = true;
    const int64_t own = memory_ ? memory_->peak_bytes() : peak_tensor_bytes(compute_.device.device);
    memory_.reset();
    const at::Tensor most = at::tensor({own}, at::kLong);
    launch_.world().all_reduce(most, ReduceOp::kMax)->wait();
    if (launch_.rank() == 0)
      log_info(cat("training takes ", most.item<int64_t>() >> 20, " MiB a rank, computed ",
                   planned_memory().training() >> 20, " MiB"));
  }

  void save(int64_t step, bool must) {
    note_training_memory();
    const PhaseScope scope(phases_, Phase::kCheckpoint);
    if (metrics_) metrics_->sync();
    const bool saved =
        saver_.save(trainer_->store(), mesh_->tensor(), state(step), tokenizer().to_json(), must);
    if (!saved) return;
    power_->flush();
    launch_.world().barrier();  // all ledgers are on disk
    write_report(step, false);
  }

  EmissionsReport write_report(int64_t step, bool finished) {
    fill_facts(step, finished);
    return reporter_->write(facts_);
  }

  void fill_facts(int64_t step, bool finished) {
    if (launch_.rank() != 0) return;
    facts_.name = config_.run.name;
    facts_.finished = finished;
    facts_.seconds = metrics_->seconds();
    facts_.steps = step - inherited().steps;
    facts_.tokens = metrics_->tokens();
    facts_.flops = static_cast<double>(facts_.tokens) * flops_per_token();
    facts_.num_parameters = trainer_->store().num_logical_elements();
    facts_.model = cat(config_.model.kind, ", ", config_.model.num_layers, " layers, ",
                       config_.model.num_heads, " heads, width ", config_.model.hidden_size);
    facts_.precision = name_of(config_.train.precision);
    facts_.num_ranks = launch_.size();
    facts_.num_nodes = launch_.num_nodes();
    facts_.train_loss = metrics_->train_loss();
    facts_.validation_loss = metrics_->validation_loss();
    if (!facts_.validation_loss.empty()) {
      facts_.first_validation_loss = facts_.validation_loss.front().value;
      facts_.last_validation_loss = facts_.validation_loss.back().value;
      facts_.bits_per_byte = metrics_->last_validation().bits_per_byte;
      facts_.masked_accuracy = metrics_->last_validation().masked_accuracy;
      facts_.sentence_accuracy = metrics_->last_validation().sentence_accuracy;
    }
    if (facts_.seconds > 0) {
      facts_.tokens_per_second = static_cast<double>(facts_.tokens) / facts_.seconds;
      facts_.matmul_share = facts_.flops / facts_.seconds / ceiling_flops_;
    }
    facts_.software = cat("lmtrain ", version(), " (", commit(), "), ", build_description());
    facts_.command_line = command_line_;
    facts_.config_yaml = print_config(config_);
  }

  void finish(int64_t step) {
    launch_.world().set_timeout(0);  // rank 0 has work of its own, which may take long
    // Where the model is cut, all of its ranks compute, and say the same.
    const bool is_cut = mesh_->tensor().size() > 1 || trainer_->store().shards_weights();
    if (launch_.rank() == 0 || is_cut)
      facts_.samples = sample_texts(trainer_->model(), *data_, config_, compute_.device.device,
                                    is_cut ? &launch_.world() : nullptr);
    if (launch_.rank() == 0) add_baseline(facts_, *data_, config_.model.is_causal());
    power_->stop();
    launch_.world().barrier();
    launch_.world().set_timeout(config_.parallel.timeout_seconds);
    const EmissionsReport report = write_report(step, true);
    if (launch_.rank() != 0) return;
    write_file_durably(folder_.summary(), to_json(facts_));
    log_summary(facts_, report, folder_);
    if (trace_) log_trace(*trace_, folder_);
  }

  const Tokenizer& tokenizer() const { return data_->prepared.tokenizer; }

  LoadedConfig loaded_;
  Config& config_;
  const std::string command_line_;
  Launch& launch_;
  const RunFolder folder_;
  CheckpointSaver saver_;
  std::optional<InitialModel> initial_;
  StartPoint start_;
  Compute compute_;
  GridIntensity grid_;
  std::optional<RunLock> lock_;
  std::optional<RunData> data_;
  std::unique_ptr<Communicator> device_world_;
  std::optional<Mesh> mesh_;
  std::optional<MemoryWatch> memory_;  // on the CPU, until the first save
  bool is_memory_noted_ = false;
  PhaseTracker phases_;
  std::shared_ptr<Trace> trace_;  // null unless train.trace
  std::optional<Trainer> trainer_;
  std::optional<MetricsLog> metrics_;  // rank 0
  std::unique_ptr<PowerLogger> power_;
  std::optional<RunReporter> reporter_;
  RunFacts facts_;          // rank 0
  int64_t num_tokens_ = 0;  // of the vocabulary, without padding
  double ceiling_flops_ = 0;
  double earlier_joules_ = 0;  // of the attempts before this one, all ranks; rank 0
  double attempt_joules_ = 0;  // of this one, all ranks
  int64_t validation_bytes_ = 0;
  double targets_per_token_ = 1.0;  // of the last step
};

}  // namespace

ExitCode run_training(const LoadedConfig& loaded, const std::string& command_line, Launch& launch) {
  Run run(loaded, command_line, launch);
  return work_or_end_job(launch, [&] {
    try {
      return run.execute();
    } catch (...) {
      run.close_records();
      throw;
    }
  });
}

}  // namespace lmtrain
