#include "trainer/run/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// Without a terminal, seconds between two lines at the least.
constexpr double kPlainLineSeconds = 10.0;
constexpr size_t kRecentSteps = 31;

std::string progress_text(const StepMetrics& m, int64_t num_steps, double eta_seconds) {
  return cat("step ", m.step, "/", num_steps, "  loss ", fixed(m.result.loss, 4), "  lr ",
             shortest(std::round(m.result.lr * 1e8) / 1e8), "  ",
             with_commas(std::llround(m.tokens_per_second)), " tok/s  ",
             fixed(100.0 * m.matmul_share, 0), "% of matmul  ETA ", human_duration(eta_seconds),
             "  ", fixed(m.result.signals.watts, 0), " W  ", fixed(m.emissions_g, 2), " gCO2e");
}

// The parts of a validation that only some models have, under the names of metrics.jsonl.
template <class Metrics, class Visitor>
void visit_optional(Metrics& metrics, const Visitor& visit) {
  visit("bits_per_byte", metrics.bits_per_byte);
  visit("masked_accuracy", metrics.masked_accuracy);
  visit("sentence_loss", metrics.sentence_loss);
  visit("sentence_accuracy", metrics.sentence_accuracy);
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
  std::string text = cat("step ", step, "  validation loss ", fixed(m.loss, 4), "  perplexity ",
                         fixed(std::exp(m.loss), 1));
  if (m.bits_per_byte) text += cat("  bits per byte ", fixed(*m.bits_per_byte, 3));
  if (m.masked_accuracy)
    text += cat("  masked tokens predicted ", fixed(100 * *m.masked_accuracy, 1), "%");
  if (m.sentence_accuracy)
    text += cat("  pairs told apart ", fixed(100 * *m.sentence_accuracy, 1), "%");
  for (const SourceLoss& one : m.by_source) text += cat("  ", one.source, " ", fixed(one.loss, 4));
  return text;
}

}  // namespace

ValidationMetrics validation_metrics(const EvaluationResult& result, bool predicts_next_token,
                                     int64_t validation_bytes) {
  ValidationMetrics metrics;
  metrics.loss = result.loss;
  if (predicts_next_token) {
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

MetricsLog::MetricsLog(const std::filesystem::path& path, int64_t last_step) {
  std::string kept;
  if (std::filesystem::exists(path)) {
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
      const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!record.is_object() || record.value("step", last_step + 1) > last_step) continue;
      kept += line + "\n";
      const auto step = record.at("step").get<int64_t>();
      if (record.contains("validation_loss")) {
        if (!record["validation_loss"].is_number()) continue;  // it was not finite
        last_validation_ = read_validation(record);
        validation_loss_.push_back({step, last_validation_.loss});
      } else if (record.contains("loss")) {
        train_loss_.push_back({step, record["loss"].get<double>()});
        seconds_ += record.value("step_seconds", 0.0);
        tokens_ = record.value("tokens", int64_t{0});
      }
    }
    write_file_durably(path, kept);
  }
  file_ = std::make_unique<AppendFile>(path);
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
  write(record.dump());
  train_loss_.push_back({m.step, r.loss});
  seconds_ += m.step_seconds;
  tokens_ = m.tokens;

  recent_seconds_.push_back(m.step_seconds);
  if (recent_seconds_.size() > kRecentSteps) recent_seconds_.pop_front();

  const std::string text = progress_text(m, num_steps, seconds_of(num_steps - m.step));
  if (progress_line_is_live()) {
    show_progress_line(text);
  } else if (monotonic_seconds() - last_shown_ > kPlainLineSeconds || m.step == num_steps) {
    last_shown_ = monotonic_seconds();
    log_info(text);
  }
}

double MetricsLog::seconds_of(int64_t num_steps) const {
  std::vector<double> sorted(recent_seconds_.begin(), recent_seconds_.end());
  const auto middle = sorted.begin() + std::ssize(sorted) / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle * static_cast<double>(num_steps);
}

void MetricsLog::validation(int64_t step, const ValidationMetrics& metrics) {
  json record = {{"step", step},
                 {"validation_loss", metrics.loss},
                 {"validation_perplexity", std::exp(metrics.loss)}};
  visit_optional(metrics, [&](const char* key, const std::optional<double>& value) {
    if (value) record[key] = *value;
  });
  for (const SourceLoss& one : metrics.by_source)
    record["by_source"].push_back({{"source", one.source}, {"loss", one.loss}});
  write(record.dump());
  if (!std::isfinite(metrics.loss)) {
    log_warn(cat("the validation loss at step ", step, " is ", metrics.loss));
    return;
  }
  validation_loss_.push_back({step, metrics.loss});
  last_validation_ = metrics;
  log_info(validation_text(step, metrics));
}

void MetricsLog::write(const std::string& line) {
  const bool written = file_->append_line(warned_ ? "\n" + line : line);  // after a torn one
  if (!written && !warned_)
    log_warn("metrics.jsonl cannot be written (disk full?); training goes on without it");
  warned_ = !written;
}

}  // namespace lmtrain
