#include "trainer/run/run_recorder.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/build_info.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/meters/clock_limits.h"
#include "parallel/typed_gather.h"
#include "trainer/config/measures.h"
#include "trainer/run/run_power.h"
#include "trainer/run/run_records.h"
#include "trainer/run/stop_request.h"

namespace lmtrain {
namespace {

// What stays as it is for the whole attempt, on top of what the run's beginning says.
RunFacts facts_of(const RunBeginning& run, const std::string& command_line, int64_t num_parameters,
                  const Launch& launch) {
  if (!run.opened) return {};
  const Config& config = run.config();
  RunFacts facts = run.opened->beginning();
  facts.name = config.run.name;
  facts.num_parameters = num_parameters;
  facts.model = cat(config.model.kind, ", ", config.model.num_layers, " layers, ",
                    config.model.num_heads, " heads, width ", config.model.hidden_size);
  facts.precision = name_of(config.train.precision);
  facts.num_ranks = launch.size();
  facts.num_nodes = launch.num_nodes();
  facts.software = cat("lmtrain ", version(), " (", commit(), "), ", build_description());
  facts.command_line = command_line;
  facts.config_yaml = print_config(config, ConfigText::kChanged);
  return facts;
}

// A run that is copied elsewhere keeps the plan that was made for it.
void keep_plan(const RunFolder& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder.plan(), error)) return;
  std::filesystem::copy_file(folder.plan(), folder.kept_plan(),
                             std::filesystem::copy_options::overwrite_existing, error);
  if (error) log_warn(cat("the plan could not be copied into the run's folder: ", error.message()));
}

}  // namespace

RunRecorder::RunRecorder(RunBeginning& run, const std::string& command_line,
                         const ParameterStore& store, const Ceilings& ceilings, Launch& launch)
    : run_(run),
      launch_(launch),
      facts_(facts_of(run, command_line, store.num_logical_elements(), launch)),
      products_(products_of(store)),
      ceilings_(ceilings),
      power_(*run.power),
      hosts_(gather_texts(launch.world(), launch.host())),
      done_(run.start.step()),
      num_devices_(run.job.compute.device.device.is_cpu() ? launch.num_nodes() : launch.size()),
      reporter_(run.folder, run.config().energy, run.config().report, launch.world(),
                OnDamagedLedger::kWarn) {
  const auto add_note = [&](const std::string& note) {
    if (std::ranges::find(facts_.notes, note) == facts_.notes.end()) facts_.notes.push_back(note);
  };
  for (const std::string& note : run.attempt.notes) add_note(note);
  facts_.has_lost_energy |= !run.attempt.notes.empty();
  if (run.attempt.number == 1 && run.job.data.was_in_cache) {
    add_note(cat("The text was in ", run.config().data.cache,
                 ", prepared before this run; what that took is not in its numbers."));
  }
  if (run.roll_back) {
    facts_.notes.push_back(cat("Rolled back from step ", run.roll_back->step, " to step ",
                               run.start.step(), ", and skipped the batches between them, because ",
                               run.roll_back->reason, "."));
  }
  if (launch.rank() == 0) keep_plan(run.folder);
  // From now on the folder tells of the run, whatever happens to it.
  const EmissionsReport so_far = write_report(run.start.step(), false);
  for (const AttemptEnergy& attempt : so_far.attempts) {
    if (attempt.attempt == run.attempt.number) continue;
    earlier_joules_ += attempt.energy.joules;
    earlier_grams_ += attempt.energy.joules * attempt.price.grams_per_joule();
  }
  const RunUse use = so_far.use();
  const bool gives_back = run.config().energy.schedule.mode == PauseMode::kStop;
  paused_before_ = use.paused.seconds + (gives_back ? use.between.seconds : 0);
  spent_before_ = broadcast_from(launch.world(), 0, spending_of(so_far, run.attempt.number));
  write_provenance(run.folder, command_line, run.start, run.job.data, run.job.compute, launch);
}

Spending RunRecorder::spent_by_now() {
  power_.take_sample();
  RankSignals sum;
  for (const RankSignals& of_rank : gather_all(launch_.world(), begin_step(run_.start.step()))) {
    sum.joules += of_rank.joules;
    sum.grams += of_rank.grams;
    sum.seconds += of_rank.seconds;
  }
  return spent(sum);
}

bool RunRecorder::measures(DeviceKind kind) const {
  return std::ranges::any_of(power_.totals().sensors, [&](const SensorTotals& sensor) {
    return sensor.info.kind == kind && sensor.info.quality == Quality::kMeasured;
  });
}

double RunRecorder::joules_by_now() {
  power_.take_sample();
  double joules = 0;
  for (const double of_rank : gather_all(launch_.world(), power_.spent_joules())) joules += of_rank;
  return joules;
}

void RunRecorder::power_caps(int64_t step, CapFacts caps) {
  if (metrics() == nullptr) return;
  caps.attempt = run_.attempt.number;
  metrics()->power_caps(step, caps);
}

Spending RunRecorder::spent(const RankSignals& signals) const {
  return {.facility_joules = signals.joules * run_.price.pue,
          .grams = signals.grams,
          .seconds = signals.seconds,
          .device_seconds = signals.seconds * static_cast<double>(num_devices_)};
}

MetricsLog* RunRecorder::metrics() { return run_.opened ? &run_.opened->metrics() : nullptr; }

RankSignals RunRecorder::begin_step(int64_t step) {
  power_.set_step(step + 1);
  launch_.activity().set_step(step + 1);
  return {.stop_requests = stop_is_requested() ? 1 : 0,
          .watts = power_.recent_watts(),
          .joules = power_.joules(),
          .grams = power_.grams(),
          .seconds = launch_.rank() == 0 ? power_.seconds() : 0};
}

void RunRecorder::end_step(int64_t step, const StepResult& result, const Trainer& trainer,
                           double seconds, double remaining_steps) {
  attempt_joules_ = result.signals.joules;
  done_ = step + 1;
  if (metrics() == nullptr) return;
  if (step > run_.start.step() + 1) warn_of_slow_ranks(trainer.speeds());  // not of the first step
  StepMetrics m;
  m.step = step + 1;
  m.tokens = metrics()->tokens() + result.counts.tokens;
  m.result = result;
  m.is_skipped = trainer.judgement().verdict != Verdict::kUpdate;
  m.is_spike = trainer.judgement().is_spike;
  num_roll_backs_ = trainer.guard().num_roll_backs;
  m.step_seconds = seconds;
  m.tokens_per_second = static_cast<double>(result.counts.tokens) / seconds;
  targets_per_token_ = static_cast<double>(result.counts.targets) /
                       static_cast<double>(std::max<int64_t>(1, result.counts.tokens));
  m.attempt = run_.attempt.number;
  const double flops = m.tokens_per_second * flops_per_token();
  const int64_t replay_every = run_.config().train.replay_every;
  const bool is_replayed = replay_every > 0 && m.step % replay_every == 0;  // takes twice its time
  if (ceilings_.matmul && !is_replayed) m.matmul_share = believed_share(flops / *ceilings_.matmul);
  if (ceilings_.data_sheet && !is_replayed) m.mfu = flops / *ceilings_.data_sheet;
  m.emissions_g = earlier_grams_ + result.signals.grams;
  m.remaining_steps = remaining_steps;
  metrics()->step(m, run_.config().train.steps);
}

void RunRecorder::warn_of_slow_ranks(const std::vector<RankSpeed>& speeds) {
  for (const SlowRanks::Finding& slow : slow_ranks_.add(speeds)) {
    constexpr double kWorthAWord = 0.02;
    log_warn(cat("rank ", slow.rank, " on ", hosts_[slow.rank], " is slow: it computes a step in ",
                 fixed(slow.seconds, 3), " s, the others in ", fixed(slow.others_seconds, 3),
                 " s, and all wait for it",
                 slow.stolen_share > kWorthAWord
                     ? cat("; ", fixed(100 * slow.stolen_share, 0),
                           "% of its machine's CPU time went to other machines (steal)")
                     : "",
                 slow.clock_limits != 0 ? cat("; its GPU's clocks are held down by ",
                                              clock_limits_text(slow.clock_limits))
                                        : ""));
  }
  for (const SlowRanks::HeldDown& one : slow_ranks_.held_down()) {
    log_warn(cat("the clocks of the GPU of rank ", one.rank, " on ", hosts_[one.rank],
                 " are held down by ", clock_limits_text(one.clock_limits)));
  }
}

// A step that is faster than the ceiling shows that the ceiling was measured too low.
std::optional<double> RunRecorder::believed_share(double share) {
  constexpr double kMostBelieved = 1.1;
  if (share <= kMostBelieved) return share;
  log_warn(
      cat("a step reached ", fixed(100 * share, 0),
          "% of the matmul ceiling, so the ceiling was measured too low (a busy machine?); this "
          "attempt states no share of it"));
  ceilings_.matmul.reset();
  metrics()->forget_matmul_shares(run_.attempt.number);
  return std::nullopt;
}

double RunRecorder::flops_per_token() const {
  const Config& config = run_.config();
  return training_flops_per_token(config.model, products_, config.data.sequence_length,
                                  targets_per_token_);
}

void RunRecorder::validation(int64_t step, ValidationMetrics result) {
  if (metrics() == nullptr) return;
  result.kwh = kwh(spent_before_.facility_joules + attempt_joules_ * run_.price.pue);
  metrics()->validation(step, result);
}

void RunRecorder::task(int64_t step, const TaskMetrics& result) {
  if (metrics() != nullptr) metrics()->task(step, result);
}

bool RunRecorder::has_validated(int64_t step) const {
  const bool mine = run_.opened && !run_.opened->metrics().validation_loss().empty() &&
                    run_.opened->metrics().validation_loss().back().step == step;
  return broadcast_from(launch_.world(), 0, int64_t{mine}) != 0;
}

bool RunRecorder::has_evaluated(const std::string& task, int64_t step) const {
  const auto is_it = [&](const TaskCurve& curve) {
    return curve.name == task && curve.points.back().step == step;
  };
  const bool mine = run_.opened && std::ranges::any_of(run_.opened->metrics().tasks(), is_it);
  return broadcast_from(launch_.world(), 0, int64_t{mine}) != 0;
}

const std::vector<CurvePoint>& RunRecorder::validations() const {
  static const std::vector<CurvePoint> none;
  const std::string& measure = run_.config().eval.measure;
  if (measure == "loss") return run_.opened->metrics().validation_loss();
  for (const TaskCurve& curve : run_.opened->metrics().tasks())
    if (curve.name == kValidationTask && curve.measure == measure) return curve.points;
  return none;
}

std::optional<RunRecorder::BestValidation> RunRecorder::best_validation() const {
  if (!run_.opened || validations().empty()) return std::nullopt;
  const bool lower_is_better = is_lower_better(run_.config().eval.measure);
  BestValidation best{validations().front()};
  for (const CurvePoint& point : std::span(validations()).subspan(1)) {
    const double gain = point.value - best.point.value;
    ++best.num_since;
    if (lower_is_better ? gain < 0 : gain > 0) best = {point};
  }
  return best;
}

void RunRecorder::go_with(CheckpointState& state) {
  power_.take_sample();
  if (metrics() == nullptr) return;  // rank 0 writes the manifest
  state.tokens = inherited().tokens + metrics()->tokens();
  state.seconds = metrics()->seconds();
  state.joules = inherited().joules + earlier_joules_ + attempt_joules_;
  fill_facts(state.step, /*finished=*/false);
  facts_of_save_ = facts_;
  const auto value_at = [&](const std::vector<CurvePoint>& points) {
    const bool is_there = !points.empty() && points.back().step == state.step;
    return is_there ? std::optional(points.back().value) : std::nullopt;
  };
  state.validation_loss = value_at(metrics()->validation_loss());
  state.measure = run_.config().eval.measure;
  if (state.measure != "loss") state.measured = value_at(validations());
  if (state.measured && !std::isfinite(*state.measured)) state.measured.reset();
}

void RunRecorder::saved(const SaveTimes& times) {
  if (metrics() != nullptr) {
    metrics()->save(times);
    facts_of_save_.saves = metrics()->saves();
  }
  reporter_.write(facts_of_save_);
}

void RunRecorder::save_failed(int64_t step, const std::string& reason) {
  if (metrics() != nullptr) metrics()->save_failed(step, reason);
}

EmissionsReport RunRecorder::write_report(int64_t step, bool finished) {
  if (metrics() != nullptr) fill_facts(step, finished);
  return reporter_.write(facts_);
}

void RunRecorder::write_report_of_failure() {
  stop_power(/*in_order=*/false);
  // Steps that no checkpoint has would be taken for a lost one's when the run is started again.
  const bool has_saved = metrics() != nullptr && metrics()->saves();
  try {
    write_report(has_saved ? done_ : run_.start.step(), false);
  } catch (const std::exception& failure) {  // the run's own failure is what is to be told
    log_warn(cat("the report of the run's failure could not be written: ", failure.what()));
  }
}

void RunRecorder::fill_facts(int64_t step, bool finished) {
  facts_.finished = finished;
  facts_.seconds = metrics()->seconds();
  facts_.steps = step - inherited().steps;
  facts_.tokens = metrics()->tokens();
  facts_.flops = static_cast<double>(facts_.tokens) * flops_per_token();
  facts_.train_loss = metrics()->train_loss();
  facts_.validation_loss = metrics()->validation_loss();
  facts_.tasks = metrics()->tasks();
  facts_.speeds = metrics()->speeds();
  facts_.power_caps = metrics()->power_caps();
  facts_.saves = metrics()->saves();
  facts_.failed_saves = metrics()->failed_saves();
  facts_.spikes = metrics()->spikes() + num_roll_backs_;
  facts_.skipped_steps = metrics()->skipped_steps();
  fill_quality();
  fill_speed();
}

void RunRecorder::fill_quality() {
  if (facts_.validation_loss.empty()) return;
  const ValidationMetrics& last = metrics()->last_validation();
  facts_.first_validation_loss = facts_.validation_loss.front().value;
  facts_.last_validation_loss = facts_.validation_loss.back().value;
  facts_.bits_per_byte = last.bits_per_byte;
  facts_.masked_accuracy = last.masked_accuracy;
  facts_.sentence_accuracy = last.sentence_accuracy;
  facts_.validation_by_source = last.by_source;
}

void RunRecorder::fill_speed() {
  if (facts_.seconds <= 0) return;
  facts_.tokens_per_second = static_cast<double>(facts_.tokens) / facts_.seconds;
  facts_.matmul_share = metrics()->matmul_share().value();
  facts_.mfu = metrics()->mfu().value();
}

}  // namespace lmtrain
