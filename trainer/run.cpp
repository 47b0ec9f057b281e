#include "trainer/run.h"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/build_info.h"
#include "base/config_writer.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "data/bigram.h"
#include "data/prepare.h"
#include "data/target_bytes.h"
#include "energy/power_logger.h"
#include "energy/sensors.h"
#include "models/flops.h"
#include "trainer/checkpoint.h"
#include "trainer/compute.h"
#include "trainer/feasibility.h"
#include "trainer/generate.h"
#include "trainer/metrics.h"
#include "trainer/run_folder.h"
#include "trainer/run_report.h"
#include "trainer/start_point.h"
#include "trainer/stop_signal.h"
#include "trainer/trainer.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// A save that fails is tried again at the next interval; so many in a row end the run.
constexpr int kMaxFailedSaves = 3;
constexpr int kNumSamples = 3;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Run {
 public:
  Run(const LoadedConfig& loaded, std::string command_line, Launch& launch)
      : loaded_(loaded),
        config_(loaded_.config),
        command_line_(std::move(command_line)),
        launch_(launch),
        folder_{std::filesystem::path(config_.run.dir) / config_.run.name} {}

  ExitCode execute() {
    launch_.together([&] { check_before_data(loaded_, launch_.size()); });
    launch_.together([&] { start_ = find_start_point(config_, folder_); });
    if (is_finished()) {
      if (launch_.rank() == 0) {
        log_info(cat("run ", config_.run.name, " has finished its ", config_.train.steps,
                     " steps; a larger train.steps extends it. Report: ", folder_.report().string()));
      }
      return ExitCode::kDone;
    }
    catch_stop_signals();
    compute_ = set_up_compute(config_.parallel, launch_);
    prepare_data();
    open_folder();
    make_trainer();
    start_energy();
    write_provenance();
    return train();
  }

 private:
  bool is_finished() const {
    return std::filesystem::exists(folder_.summary()) && start_.step() >= config_.train.steps;
  }

  // Rank 0 prepares, the others wait; then all open the same files.
  void prepare_data() {
    PreparedKeys keys;
    launch_.together([&] {
      if (launch_.rank() != 0) return;
      std::string stage_shown;
      const auto show = [&](std::string_view stage, double fraction) {
        show_progress_line(cat(stage, " ", fixed(100 * fraction, 0), "%"));
        if (stage_shown == stage) return;
        if (!progress_line_is_live()) log_info(stage);
        stage_shown = stage;
      };
      data_.emplace(prepare(config_.data, config_.tokenizer, compute_.num_threads * launch_.local_size(), show));
      show_progress_line("");
      keys = data_->keys;
    });
    static_assert(std::is_trivially_copyable_v<PreparedKeys>);
    const at::Tensor bytes = at::zeros({static_cast<int64_t>(sizeof keys / sizeof(int64_t))}, at::kLong);
    if (launch_.rank() == 0) std::memcpy(bytes.data_ptr(), &keys, sizeof keys);
    launch_.world().broadcast(bytes, 0)->wait();
    std::memcpy(&keys, bytes.data_ptr(), sizeof keys);
    launch_.together([&] {
      if (launch_.rank() != 0) data_.emplace(open_prepared(config_.data, keys));
      if (config_.model.vocab_size == 0) config_.model.vocab_size = data_->tokenizer.vocab_size();
      train_loader_.emplace(TokenFile::open(data_->train.path()), config_.data.sequence_length, SampleOrder::kPermutedEachEpoch,
                            static_cast<uint64_t>(config_.run.seed));
      if (data_->validation) {
        validation_loader_.emplace(TokenFile::open(data_->validation->path()), config_.data.sequence_length,
                                   SampleOrder::kAsInFile);
      }
      check_before_training(loaded_, config_, data_->tokenizer.vocab_size(), train_loader_->num_samples(),
                            launch_.local_size());
      if (!start_.checkpoint.empty()) check_start_point(start_, config_, state(start_.step()));
    });
  }

  void open_folder() {
    launch_.together([&] {
      if (launch_.rank() != 0) return;
      make_folders(folder_.checkpoints());
      make_folders(folder_.energy());
      lock_.emplace(folder_);
      sweep_checkpoints(folder_.checkpoints(), config_.checkpoint.keep);
      open_log_file(folder_.log());
      std::filesystem::remove(folder_.summary());  // a larger train.steps extends a finished run
      write_file_durably(folder_.config(), resolved_config());
      metrics_.emplace(folder_.metrics(), start_.step());
      if (std::filesystem::exists(folder_.facts())) facts_.started = parse_run_facts(read_file(folder_.facts())).started;
      if (facts_.started.empty() || start_.checkpoint.empty()) facts_.started = utc_now();
    });
  }

  void make_trainer() {
    device_world_ = make_device_communicator(launch_, compute_.device);
    Communicator& device_world = device_world_ ? *device_world_ : launch_.world();
    mesh_.emplace(launch_.world(), device_world, static_cast<int>(config_.parallel.tensor));
    trainer_.emplace(config_, *mesh_, compute_.device.device, data_->tokenizer.vocab_size(), phases_);
    if (!start_.checkpoint.empty()) {
      launch_.together([&] { load_tensors(start_.checkpoint, start_.manifest, trainer_->store(), true); });
      if (launch_.rank() == 0) log_info(cat("continuing from ", start_.checkpoint.string()));
    }
    launch_.world().barrier();
    const at::Tensor flops = at::tensor(
        {measure_matmul_flops(compute_type_of(config_.train.precision), compute_.device.device)}, at::kDouble);
    launch_.world().all_reduce(flops, ReduceOp::kSum)->wait();
    ceiling_flops_ = flops.item<double>();
    if (launch_.rank() != 0) return;
    log_info(cat("gpt2 of ", with_commas(trainer_->store().num_logical_elements()), " parameters, ",
                 with_commas(data_->train.num_tokens()), " training tokens, ", launch_.size(), " ranks of ",
                 compute_.num_threads, " threads on ", compute_.device.description, ", ", config_.train.precision,
                 ", matmul ceiling ", fixed(ceiling_flops_ / 1e9, 0), " GFLOP/s"));
  }

  void start_energy() {
    int64_t attempt = 0;
    launch_.together([&] {
      if (launch_.rank() == 0) attempt = next_attempt(folder_.energy());
    });
    const at::Tensor number = at::tensor({attempt}, at::kLong);
    launch_.world().broadcast(number, 0)->wait();
    const std::vector<std::string> places =
        gather_texts(launch_.world(), cat(launch_.node(), " ", compute_.device.gpu_selector));
    std::vector<std::string> gpu_of_local_rank;
    for (const std::string& place : places) {
      const size_t space = place.find(' ');
      if (place.substr(0, space) == std::to_string(launch_.node())) gpu_of_local_rank.push_back(place.substr(space + 1));
    }
    launch_.together([&] {
      AttemptStart start;
      start.attempt = number.item<int64_t>();
      start.place = {launch_.rank(), launch_.size(), launch_.node(), launch_.local_rank(), launch_.host()};
      start.wall_seconds = unix_seconds();
      start.first_step = start_.step() + 1;
      grid_ = grid_intensity(config_.energy);
      power_.emplace(choose_sensors(SensorRoots{}, config_.energy, launch_.local_rank(), gpu_of_local_rank),
                     std::move(start), ledger_path(folder_.energy(), launch_.rank()), phases_,
                     config_.energy.interval_seconds);
    });
    reporter_.emplace(folder_, config_.energy, launch_.world());
  }

  void write_provenance() {
    const std::vector<std::string> ranks =
        gather_texts(launch_.world(), json{{"rank", launch_.rank()},
                                           {"host", launch_.host()},
                                           {"cores", compute_.cores},
                                           {"threads", compute_.num_threads},
                                           {"device", compute_.device.description}}
                                          .dump());
    if (launch_.rank() != 0) return;
    json list = json::array();
    for (const std::string& rank : ranks) list.push_back(json::parse(rank));
    const json provenance = {{"version", version()},
                             {"commit", commit()},
                             {"build", build_description()},
                             {"mpi", Launch::library_version()},
                             {"cpu_capability", cpu_capability()},
                             {"command_line", command_line_},
                             {"started", utc_now()},
                             {"resumed_from", start_.checkpoint.string()},
                             {"tokenizer_hash", hex16(data_->tokenizer.hash())},
                             {"data_fingerprint", hex16(data_->train.fingerprint())},
                             {"ranks", list}};
    write_file_durably(folder_.provenance(), provenance.dump(1) + "\n");
  }

  ExitCode train() {
    const int64_t steps = config_.train.steps;
    if (start_.checkpoint.empty()) validate(0);
    bool stopped = false;
    int64_t done = start_.step();
    for (; done < steps && !stopped; ++done) {
      stopped = one_step(done).signals.stop_requested;
      const int64_t now = done + 1;
      const bool last = now == steps;
      const auto due = [&](int64_t interval) { return last || (interval > 0 && now % interval == 0); };
      if (due(config_.eval.interval)) validate(now);
      if (stopped || due(config_.checkpoint.interval)) save(now, /*must=*/stopped || last);
    }
    if (stopped && done < steps) {
      power_->stop();
      write_report(done, false);
      if (launch_.rank() == 0) log_info(cat("stopped on request after step ", done, "; the same command continues"));
      return ExitCode::kStopped;
    }
    finish(done);
    return ExitCode::kDone;
  }

  StepResult one_step(int64_t step) {
    const double begin = monotonic_seconds();
    power_->set_step(step + 1);
    StepResult result;
    try {
      result = trainer_->train_step(*train_loader_, step,
                                    {stop_signal_received(), power_->recent_watts(), power_->joules()});
    } catch (const CollectiveError&) {
      throw;
    } catch (const Error& error) {
      throw Error(error.code(), cat("step ", step + 1, ": ", error.what()));
    }
    if (launch_.rank() == 0) record(step + 1, result, monotonic_seconds() - begin);
    return result;
  }

  void record(int64_t step, const StepResult& result, double seconds) {
    StepMetrics m;
    m.step = step;
    m.tokens = metrics_->tokens() + result.num_tokens;
    m.result = result;
    m.step_seconds = seconds;
    m.tokens_per_second = static_cast<double>(result.num_tokens) / seconds;
    m.matmul_share = m.tokens_per_second * flops_per_token() / ceiling_flops_;
    // The median of recent steps says how long the rest takes.
    recent_seconds_.push_back(seconds);
    if (recent_seconds_.size() > 31) recent_seconds_.erase(recent_seconds_.begin());
    std::vector<double> sorted = recent_seconds_;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    m.eta_seconds = sorted[sorted.size() / 2] * static_cast<double>(config_.train.steps - step);
    m.emissions_g = emissions_grams(result.signals.joules, config_.energy.pue, grid_.g_per_kwh);
    metrics_->step(m, config_.train.steps);
  }

  double flops_per_token() const { return training_flops_per_token(config_.model, config_.data.sequence_length); }

  int64_t num_validation_samples() const {
    if (!validation_loader_) return 0;
    return std::min(validation_loader_->num_samples(), config_.eval.batches * config_.train.global_batch_size);
  }

  void validate(int64_t step) {
    const int64_t samples = num_validation_samples();
    if (samples == 0) return;
    const EvaluationResult result = trainer_->evaluate(*validation_loader_, samples);
    if (validation_bytes_ == 0) {
      const TargetBytes bytes(data_->tokenizer);
      for (int64_t i = 0; i < samples; ++i) {
        validation_bytes_ += bytes.of_batch(validation_loader_->load(std::span<const int64_t>(&i, 1)));
      }
    }
    bits_per_byte_ = result.loss * static_cast<double>(result.num_tokens) / std::log(2.0) /
                     static_cast<double>(std::max<int64_t>(1, validation_bytes_));
    if (launch_.rank() == 0) metrics_->validation(step, result.loss, bits_per_byte_);
  }

  CheckpointState state(int64_t step) const {
    CheckpointState state;
    state.step = step;
    state.config = resolved_config();
    state.tokenizer_hash = hex16(data_->tokenizer.hash());
    state.data_fingerprint = hex16(data_->train.fingerprint());
    state.precision = config_.train.precision;
    state.num_ranks = launch_.size();
    state.num_threads = compute_.num_threads;
    state.torch_version = build_description();
    state.cpu_capability = cpu_capability();
    state.commit = commit();
    state.progress = json::object();
    if (power_) state.progress["joules_of_attempt"] = power_->joules();
    if (metrics_) {
      state.progress["tokens"] = metrics_->tokens();
      state.progress["seconds"] = metrics_->seconds();
    }
    return state;
  }

  void save(int64_t step, bool must) {
    const PhaseScope scope(phases_, Phase::kCheckpoint);
    const std::string error = save_checkpoint(folder_.checkpoints(), trainer_->store(), state(step),
                                              data_->tokenizer.to_json(), launch_.world());
    if (!error.empty()) {
      ++failed_saves_;
      if (launch_.rank() == 0) log_warn(cat("the save at step ", step, " was abandoned: ", error));
      if (must || failed_saves_ >= kMaxFailedSaves) {
        throw CollectiveError(ExitCode::kIo, cat("no checkpoint could be saved at step ", step, ": ", error));
      }
      return;
    }
    failed_saves_ = 0;
    if (launch_.rank() == 0) sweep_checkpoints(folder_.checkpoints(), config_.checkpoint.keep);
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
    facts_.steps = step;
    facts_.tokens = metrics_->tokens();
    facts_.flops = static_cast<double>(facts_.tokens) * flops_per_token();
    facts_.num_parameters = trainer_->store().num_logical_elements();
    facts_.model = cat(config_.model.kind, ", ", config_.model.num_layers, " layers, ", config_.model.num_heads,
                       " heads, width ", config_.model.hidden_size);
    facts_.precision = config_.train.precision;
    facts_.num_ranks = launch_.size();
    facts_.num_nodes = launch_.num_nodes();
    facts_.train_loss = metrics_->train_loss();
    facts_.validation_loss = metrics_->validation_loss();
    if (!facts_.validation_loss.empty()) {
      facts_.first_validation_loss = facts_.validation_loss.front().value;
      facts_.last_validation_loss = facts_.validation_loss.back().value;
      facts_.bits_per_byte = bits_per_byte_;
    }
    if (facts_.seconds > 0) {
      facts_.tokens_per_second = static_cast<double>(facts_.tokens) / facts_.seconds;
      facts_.matmul_share = facts_.flops / facts_.seconds / ceiling_flops_;
    }
    facts_.software = cat("lmtrain ", version(), " (", commit(), "), ", build_description());
    facts_.command_line = command_line_;
    facts_.config_yaml = resolved_config();
  }

  void finish(int64_t step) {
    if (launch_.rank() == 0) {
      write_samples();
      if (num_validation_samples() > 0) {
        std::vector<int64_t> samples(static_cast<size_t>(num_validation_samples()));
        std::iota(samples.begin(), samples.end(), 0);
        const BigramScore bigram =
            BigramModel::fit(data_->train).score(*validation_loader_, samples, TargetBytes(data_->tokenizer));
        facts_.bigram_bits_per_byte = bigram.bits_per_byte;
      }
    }
    power_->stop();
    launch_.world().barrier();
    const EmissionsReport report = write_report(step, true);
    if (launch_.rank() != 0) return;
    write_file_durably(folder_.summary(), to_json(facts_));
    print_summary(report);
  }

  void write_samples() {
    facts_.samples.clear();
    const int32_t end = data_->tokenizer.end_of_text();
    for (int i = 0; i < kNumSamples; ++i) {
      SamplingOptions options;
      options.seed = static_cast<uint64_t>(config_.run.seed + i);
      const auto tokens = generate_tokens(trainer_->model(), config_.model.max_positions, compute_.device.device,
                                          {std::max(end, 0)}, end, options);
      facts_.samples.push_back({"", data_->tokenizer.decode(tokens)});
    }
  }

  void print_summary(const EmissionsReport& report) {
    for (const TextSample& sample : facts_.samples) log_info(cat("sample:\n", sample.text));
    if (facts_.last_validation_loss) {
      log_info(cat("validation loss ", fixed(*facts_.first_validation_loss, 4), " -> ",
                   fixed(*facts_.last_validation_loss, 4), ", bits per byte ", fixed(*facts_.bits_per_byte, 3),
                   ", bigram model ", fixed(facts_.bigram_bits_per_byte.value_or(0), 3)));
    }
    log_info(cat(with_commas(std::llround(facts_.tokens_per_second.value_or(0))), " tokens/s over ",
                 human_duration(facts_.seconds), ", energy ", fixed(kwh(report.energy.joules) * 1000, 2), " Wh (",
                 fixed(kwh(report.energy.low) * 1000, 2), " to ", fixed(kwh(report.energy.high) * 1000, 2),
                 "), emissions ", fixed(report.emissions_kg() * 1000, 2), " gCO2e"));
    log_info(cat("report: ", folder_.report().string()));
  }

  // The config with every key, the vocabulary resolved.
  std::string resolved_config() const {
    Config config = config_;
    return print_config(config);
  }

  LoadedConfig loaded_;
  Config& config_;
  const std::string command_line_;
  Launch& launch_;
  const RunFolder folder_;
  StartPoint start_;
  Compute compute_;
  GridIntensity grid_;
  std::optional<RunLock> lock_;
  std::optional<PreparedData> data_;
  std::optional<Loader> train_loader_;
  std::optional<Loader> validation_loader_;
  std::unique_ptr<Communicator> device_world_;
  std::optional<Mesh> mesh_;
  PhaseTracker phases_;
  std::optional<Trainer> trainer_;
  std::optional<MetricsLog> metrics_;  // rank 0
  std::optional<PowerLogger> power_;
  std::optional<RunReporter> reporter_;
  RunFacts facts_;  // rank 0
  double ceiling_flops_ = 0;
  double bits_per_byte_ = 0;
  int64_t validation_bytes_ = 0;
  int failed_saves_ = 0;
  std::vector<double> recent_seconds_;
};

}  // namespace

ExitCode run_training(const LoadedConfig& loaded, const std::string& command_line, Launch& launch) {
  return Run(loaded, command_line, launch).execute();
}

}  // namespace lmtrain
