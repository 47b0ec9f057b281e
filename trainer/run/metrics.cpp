#include "trainer/run/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/median.h"
#include "base/phase.h"
#include "base/text.h"
#include "energy/amount_text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// Without a terminal, seconds between two lines at the least.
constexpr double kPlainLineSeconds = 10.0;
constexpr size_t kRecentSteps = 31;

// What matters most comes first: a narrow terminal shows no more.
std::string progress_text(const StepMetrics& m, int64_t num_steps, double eta_seconds) {
  std::string text =
      cat("step ", m.step, "/", num_steps, "  loss ", fixed(m.result.loss, 4), "  ETA ",
          human_duration(eta_seconds), "  ", with_commas(std::llround(m.tokens_per_second)),
          " tok/s  ", fixed(m.result.signals.watts, 0), " W  ", fixed(m.emissions_g, 2), " gCO2e");
  if (m.matmul_share) text += cat("  ", fixed(100.0 * *m.matmul_share, 0), "% of matmul");
  return cat(text, "  lr ", shortest(std::round(m.result.lr * 1e8) / 1e8));
}

// The parts of a validation that only some models have, under the names of metrics.jsonl.
template <class Metrics, class Visitor>
void visit_optional(Metrics& metrics, const Visitor& visit) {
  visit("bits_per_byte", metrics.bits_per_byte);
  visit("masked_accuracy", metrics.masked_accuracy);
  visit("sentence_loss", metrics.sentence_loss);
  visit("sentence_accuracy", metrics.sentence_accuracy);
  visit("validation_seconds", metrics.validation_seconds);
  visit("kwh", metrics.kwh);
}

ValidationMetrics read_validation(const json& record) {
  ValidationMetrics metrics;
  metrics.loss = record["validation_loss"].get<double>();
  visit_optional(metrics, [&](const char* key, std::optional<double>& value) {
    if (record.contains(key) && record[key].is_number()) value = record[key].get<double>();
  });
  for (const json& one : record.value("by_source", json::array()))
    metrics.by_source.push_back({one.at("source"), one.at("loss")});
  return metrics;
}

std::string validation_text(int64_t step, const ValidationMetrics& m) {
  std::string text = cat("step ", step, "  validation loss ", fixed(m.loss, 4));
  if (m.has_perplexity) text += cat("  perplexity ", fixed(std::exp(m.loss), 1));
  if (m.bits_per_byte) text += cat("  bits per byte ", fixed(*m.bits_per_byte, 3));
  if (m.masked_accuracy)
    text += cat("  masked tokens predicted ", fixed(100 * *m.masked_accuracy, 1), "%");
  if (m.sentence_accuracy)
    text += cat("  pairs told apart ", fixed(100 * *m.sentence_accuracy, 1), "%");
  for (const SourceLoss& one : m.by_source) text += cat("  ", one.source, " ", fixed(one.loss, 4));
  return text;
}

}  // namespace

ValidationMetrics validation_metrics(const EvaluationResult& result, Predicted predicted,
                                     int64_t validation_bytes) {
  ValidationMetrics metrics;
  metrics.loss = result.loss;
  metrics.has_perplexity = predicted != Predicted::kLabels;
  if (predicted == Predicted::kLabels) return metrics;
  if (predicted == Predicted::kNextTokens) {
    const double bits = result.loss * static_cast<double>(result.counts.targets) / std::log(2.0);
    metrics.bits_per_byte = bits / static_cast<double>(std::max<int64_t>(1, validation_bytes));
  } else {
    metrics.masked_accuracy = result.accuracy;
  }
  if (result.counts.sentences > 0) {
    metrics.sentence_loss = result.sentence_loss;
    metrics.sentence_accuracy = result.sentence_accuracy;
  }
  return metrics;
}

namespace {

// A line of the file, read whole before anything of it counts.
struct MetricsLine {
  int64_t step = 0;
  std::optional<ValidationMetrics> validation;
  std::optional<TaskMetrics> task;
  std::optional<SaveTimes> save;
  bool is_failed_save = false;
  std::optional<CapFacts> power_caps;
  bool is_step = false;
  bool is_skipped = false;
  bool is_spike = false;
  std::optional<double> loss;  // of a step; none where it was not finite
  double seconds = 0;
  int64_t tokens = 0;
  int64_t attempt = 0;
  std::optional<double> matmul_share;
  std::optional<double> mfu;
};

// Throws json::exception where a value has another type than it must have.
// Nothing for what is no line of a known kind.
std::optional<MetricsLine> parse_line(const json& record) {
  const bool has_step =
      record.is_object() && record.contains("step") && record["step"].is_number_integer();
  if (!has_step) return std::nullopt;
  MetricsLine line;
  line.step = record["step"].get<int64_t>();
  if (record.contains("task")) {
    line.task = TaskMetrics{record["task"], record.at("measure"), record.at("value"),
                            record.at("lower_is_better"), nullptr};
  } else if (record.contains("checkpoint_bytes")) {
    line.save = SaveTimes{line.step,
                          record.at("copy_seconds"),
                          record.at("stall_seconds"),
                          record.at("persist_seconds"),
                          record.at("work_seconds"),
                          record["checkpoint_bytes"]};
  } else if (record.contains("save_failed")) {
    line.is_failed_save = true;
  } else if (record.contains("power_caps")) {
    line.power_caps = parse_cap_facts(record["power_caps"]);
  } else if (record.contains("validation_loss")) {
    if (!record["validation_loss"].is_null())  // null: it was not finite
      line.validation = read_validation(record);
  } else if (record.contains("loss")) {
    line.is_step = true;
    if (!record["loss"].is_null()) line.loss = record["loss"].get<double>();
    line.is_skipped = record.value("skipped", false);
    line.is_spike = record.value("spike", false);
    line.seconds = record.value("step_seconds", 0.0);
    line.tokens = record.value("tokens", int64_t{0});
    line.attempt = record.value("attempt", int64_t{0});
    if (record.contains("matmul_share")) line.matmul_share = record["matmul_share"].get<double>();
    if (record.contains("mfu")) line.mfu = record["mfu"].get<double>();
  } else {
    return std::nullopt;
  }
  return line;
}

}  // namespace

void MetricsLog::read(const std::filesystem::path& path, int64_t last_step) {
  std::string kept;
  int64_t number = 0;
  std::vector<int64_t> damaged;
  const std::string content = read_file(path);
  std::istringstream lines(content);
  for (std::string text; std::getline(lines, text);) {
    ++number;
    const bool is_torn = lines.eof();  // without its line break: what a crash leaves
    const json record = json::parse(text, nullptr, /*allow_exceptions=*/false);
    std::optional<MetricsLine> parsed;
    try {
      parsed = parse_line(record);
    } catch (const json::exception&) {  // a value of another type
      parsed.reset();
    } catch (const DataError&) {  // the same
      parsed.reset();
    }
    if (!parsed) {
      if (!is_torn) damaged.push_back(number);
      continue;
    }
    const MetricsLine& line = *parsed;
    const bool may_be_later = line.is_failed_save && last_step >= 0;
    if (line.step > last_step && !may_be_later) continue;
    kept += text + "\n";
    if (line.task) {
      add_task_point(line.step, *line.task);
    } else if (line.save) {
      add_save(*line.save);
    } else if (line.is_failed_save) {
      ++failed_saves_;
    } else if (line.power_caps) {
      power_caps_.push_back(*line.power_caps);
    } else if (line.validation) {
      last_validation_ = *line.validation;
      validation_loss_.push_back({line.step, last_validation_.loss});
    } else if (line.is_step) {
      if (line.loss) train_loss_.push_back({line.step, *line.loss});
      skipped_steps_ += line.is_skipped ? 1 : 0;
      spikes_ += line.is_spike ? 1 : 0;
      add_speed(line.attempt, line.seconds, line.tokens, line.matmul_share, line.mfu);
    }
  }
  if (!damaged.empty()) {
    const std::string aside = set_aside(path).string();
    log_warn(cat(path.string(), ":", damaged.front(), ": ", damaged.size(),
                 damaged.size() == 1 ? " line is" : " lines are",
                 " damaged and left out; the file as it was is now ", aside));
    notes_.push_back(cat("Damaged lines of the metrics were left out; the file as it was is ",
                         std::filesystem::path(aside).filename().string(), "."));
  }
  write_file_durably(path, kept);
}

MetricsLog::MetricsLog(const std::filesystem::path& path, const RunTotals& totals) {
  if (std::filesystem::exists(path)) read(path, totals.step);
  if (totals.step > 0 && tokens_ != totals.tokens) {
    notes_.push_back(cat("The metrics counted ", with_commas(tokens_), " tokens up to step ",
                         totals.step, ", the checkpoint ", with_commas(totals.tokens),
                         "; the totals here are the checkpoint's, and the curves lack the rest."));
    log_warn(cat(path.string(), ": ", notes_.back()));
    tokens_ = totals.tokens;
    seconds_ = totals.seconds;
  }
  file_ = std::make_unique<AppendFile>(path);
}

void MetricsLog::forget_matmul_shares(int64_t attempt) {
  TimeMean& of_attempt = attempts_[attempt].matmul_share;
  matmul_share_.sum -= of_attempt.sum;
  matmul_share_.seconds -= of_attempt.seconds;
  of_attempt = {};
}

// `tokens` are those of the run so far.
void MetricsLog::add_speed(int64_t attempt, double seconds, int64_t tokens,
                           std::optional<double> matmul_share, std::optional<double> mfu) {
  OfAttempt& of_attempt = attempts_[attempt];
  of_attempt.seconds += seconds;
  of_attempt.tokens += tokens - tokens_;
  seconds_ += seconds;
  tokens_ = tokens;
  if (matmul_share) {
    matmul_share_.add(*matmul_share, seconds);
    of_attempt.matmul_share.add(*matmul_share, seconds);
  }
  if (mfu) {
    mfu_.add(*mfu, seconds);
    of_attempt.mfu.add(*mfu, seconds);
  }
}

std::vector<AttemptSpeed> MetricsLog::speeds() const {
  std::vector<AttemptSpeed> speeds;
  for (const auto& [attempt, one] : attempts_)
    speeds.push_back({attempt, one.seconds, one.tokens, one.matmul_share.value(), one.mfu.value()});
  return speeds;
}

void MetricsLog::step(const StepMetrics& m, int64_t num_steps) {
  const StepResult& r = m.result;
  json record = {{"step", m.step},
                 {"tokens", m.tokens},
                 {"loss", r.loss},
                 {"lr", r.lr},
                 {"grad_norm", r.gradient_norm},
                 {"tokens_per_second", std::round(m.tokens_per_second * 10) / 10},
                 {"step_seconds", std::round(m.step_seconds * 1e6) / 1e6},
                 {"watts", std::round(r.signals.watts * 100) / 100},
                 {"data_hash", hex16(r.data_hash)}};
  if (r.counts.sentences > 0) record["sentence_loss"] = r.sentence_loss;
  record["time"] = std::round(clock_seconds(CLOCK_REALTIME) * 1e3) / 1e3;
  record["attempt"] = m.attempt;
  if (m.is_skipped) {
    record["skipped"] = true;
    ++skipped_steps_;
  }
  if (m.is_spike) {
    record["spike"] = true;
    ++spikes_;
  }
  if (m.matmul_share) {
    record["matmul_share"] = std::round(*m.matmul_share * 1e4) / 1e4;
  }
  if (m.mfu) {
    record["mfu"] = std::round(*m.mfu * 1e4) / 1e4;
  }
  write(record.dump());  // what is not finite becomes null
  if (std::isfinite(r.loss)) train_loss_.push_back({m.step, r.loss});
  add_speed(m.attempt, m.step_seconds, m.tokens, m.matmul_share, m.mfu);

  recent_seconds_.push_back(m.step_seconds);
  if (recent_seconds_.size() > kRecentSteps) recent_seconds_.pop_front();

  const std::string text = progress_text(m, num_steps, seconds_of(m.remaining_steps));
  if (progress_line_is_live()) {
    show_progress_line(text);
  } else if (monotonic_seconds() - last_shown_ > kPlainLineSeconds || m.step == num_steps) {
    last_shown_ = monotonic_seconds();
    log_info(text);
  }
}

double MetricsLog::seconds_of(double num_steps) const {
  return median(recent_seconds_) * num_steps;
}

// How much the loss fell for each kWh since the validation before.
std::optional<double> MetricsLog::loss_per_kwh(const ValidationMetrics& now) const {
  if (validation_loss_.empty() || !now.kwh || !last_validation_.kwh) return std::nullopt;
  const double kwh = *now.kwh - *last_validation_.kwh;
  if (kwh <= 0 || !std::isfinite(now.loss)) return std::nullopt;
  return (last_validation_.loss - now.loss) / kwh;
}

void MetricsLog::validation(int64_t step, const ValidationMetrics& metrics) {
  json record = {{"step", step}, {"validation_loss", metrics.loss}};
  if (metrics.has_perplexity) record["validation_perplexity"] = std::exp(metrics.loss);
  visit_optional(metrics, [&](const char* key, const std::optional<double>& value) {
    if (value) record[key] = *value;
  });
  for (const SourceLoss& one : metrics.by_source)
    record["by_source"].push_back({{"source", one.source}, {"loss", one.loss}});
  const std::optional<double> gain = loss_per_kwh(metrics);
  if (gain) record["loss_per_kwh"] = *gain;
  write(record.dump());
  if (!std::isfinite(metrics.loss)) {
    log_warn(cat("the validation loss at step ", step, " is ", metrics.loss));
    return;
  }
  validation_loss_.push_back({step, metrics.loss});
  last_validation_ = metrics;
  log_info(cat(validation_text(step, metrics),
               gain && metrics.has_perplexity ? cat("  ", *gain >= 0 ? "fell" : "rose", " by ",
                                                    three_digits(std::abs(*gain)), " nats per kWh")
                                              : ""));
}

void MetricsLog::task(int64_t step, const TaskMetrics& metrics) {
  nlohmann::ordered_json record = {{"step", step},
                                   {"task", metrics.name},
                                   {"measure", metrics.measure},
                                   {"value", metrics.value},
                                   {"lower_is_better", metrics.lower_is_better}};
  for (const auto& [key, value] : metrics.numbers.items()) record[key] = value;
  write(record.dump());
  add_task_point(step, metrics);
  const TaskCurve& curve = *std::ranges::find(tasks_, metrics.name, &TaskCurve::name);
  log_info(cat("step ", step, "  task ", metrics.name, "  ", metrics.measure, " ",
               fixed(metrics.value, 4), "  best ", fixed(curve.best().value, 4), " at step ",
               curve.best().step));
}

void MetricsLog::save(const SaveTimes& times) {
  const auto rounded = [](double seconds) { return std::round(seconds * 1e6) / 1e6; };
  write(json{{"step", times.step},
             {"checkpoint_bytes", times.bytes},
             {"copy_seconds", rounded(times.copy_seconds)},
             {"stall_seconds", rounded(times.stall_seconds)},
             {"persist_seconds", rounded(times.persist_seconds)},
             {"work_seconds", rounded(times.work_seconds)}}
            .dump());
  add_save(times);
}

void MetricsLog::save_failed(int64_t step, const std::string& reason) {
  write(json{{"step", step}, {"save_failed", reason}}.dump(-1, ' ', false,
                                                           json::error_handler_t::replace));
  ++failed_saves_;
}

void MetricsLog::power_caps(int64_t step, const CapFacts& caps) {
  write(json{{"step", step}, {"power_caps", to_json(caps)}}.dump());
  power_caps_.push_back(caps);
}

void MetricsLog::add_save(const SaveTimes& times) {
  if (!saves_) saves_.emplace();
  ++saves_->count;
  saves_->bytes = times.bytes;
  saves_->stall_seconds += times.stall_seconds;
  saves_->persist_seconds += times.persist_seconds;
  written_bytes_ += static_cast<double>(times.bytes);
  writing_seconds_ += times.work_seconds;
  if (writing_seconds_ > 0) saves_->bytes_per_second = written_bytes_ / writing_seconds_;
}

void MetricsLog::add_task_point(int64_t step, const TaskMetrics& metrics) {
  auto curve = std::ranges::find(tasks_, metrics.name, &TaskCurve::name);
  if (curve == tasks_.end()) {
    tasks_.push_back({metrics.name, metrics.measure, metrics.lower_is_better, {}});
    curve = tasks_.end() - 1;
  }
  curve->points.push_back({step, metrics.value});
}

void MetricsLog::write(const std::string& line) {
  const bool written = file_->append_line(warned_ ? "\n" + line : line);  // after a torn one
  if (!written && !warned_)
    log_warn("metrics.jsonl cannot be written (disk full?); training goes on without it");
  warned_ = !written;
}

}  // namespace lmtrain
