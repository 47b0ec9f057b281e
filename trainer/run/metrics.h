// What a run reports while it trains: metrics.jsonl, and a progress line on a terminal or plain
// lines elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "energy/report/run_facts.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

struct StepMetrics {
  int64_t step = 0;    // updates done
  int64_t tokens = 0;  // trained on since the run began
  StepResult result;
  bool is_skipped = false;  // its update was left out
  bool is_spike = false;    // of the loss or the gradient norm
  double step_seconds = 0;
  double tokens_per_second = 0;
  int64_t attempt = 0;
  // Of the measured ceiling of all ranks, and of their peak by data sheet (model FLOPs utilization;
  // Chowdhery et al., "PaLM", 2022); none where it is not known.
  std::optional<double> matmul_share;
  std::optional<double> mfu;
  double emissions_g = 0;      // of all attempts so far
  double remaining_steps = 0;  // that are expected to follow
};

// The results of one validation. A decoder has bits per byte; bert has the accuracy on masked
// tokens and, where it learns from pairs of segments, their loss and accuracy.
struct ValidationMetrics {
  double loss = 0;             // nats, of a regression the squared error
  bool has_perplexity = true;  // whether it is the loss of tokens
  std::optional<double> bits_per_byte;
  std::optional<double> masked_accuracy;
  std::optional<double> sentence_loss;
  std::optional<double> sentence_accuracy;
  std::optional<double> validation_seconds;
  std::optional<double> kwh;          // that the run had taken by then, with the building
  std::vector<SourceLoss> by_source;  // of those sources that the samples are from, if of several
};

// What was predicted: each next token, masked tokens, or labels.
enum class Predicted { kNextTokens, kMaskedTokens, kLabels };
// `validation_bytes` counts, of next tokens, the bytes of text that the targets stand for.
ValidationMetrics validation_metrics(const EvaluationResult& result, Predicted predicted,
                                     int64_t validation_bytes);

// How a task of eval.tasks, or the labels of the validation, went: the number that stands for it,
// and all of them.
inline constexpr char kValidationTask[] = "validation";  // that of labelled texts
struct TaskMetrics {
  std::string name;
  std::string measure;
  double value = 0;
  bool lower_is_better = false;
  nlohmann::ordered_json numbers;
};

// A mean over training time.
struct TimeMean {
  double sum = 0;
  double seconds = 0;

  void add(double value, double for_seconds) {
    sum += value * for_seconds;
    seconds += for_seconds;
  }
  std::optional<double> value() const {
    return seconds > 0 ? std::optional(sum / seconds) : std::nullopt;
  }
};

// What a checkpoint knows of the run that continues from it.
struct RunTotals {
  int64_t step = -1;  // -1: the run begins
  int64_t tokens = 0;
  double seconds = 0;
};

// Only rank 0 has one.
class MetricsLog {
 public:
  // Continues a file. Lines of steps after the one of `totals` are removed, because those steps
  // will be computed again, except for lines of failed saves; so is an incomplete line that a crash
  // left. A file with other damage is set aside (set_aside) and its good lines are kept. Where the
  // lines do not make up `totals`, those count, and a warning says so. Throws IoError.
  MetricsLog(const std::filesystem::path& path, const RunTotals& totals);

  void step(const StepMetrics& metrics, int64_t num_steps);
  void validation(int64_t step, const ValidationMetrics& metrics);
  void task(int64_t step, const TaskMetrics& metrics);
  void save(const SaveTimes& times);
  void save_failed(int64_t step, const std::string& reason);
  void power_caps(int64_t step, const CapFacts& caps);

  // What the file holds so far, including the lines of earlier attempts.
  const std::vector<CurvePoint>& train_loss() const { return train_loss_; }
  const std::vector<CurvePoint>& validation_loss() const { return validation_loss_; }
  const std::vector<TaskCurve>& tasks() const { return tasks_; }
  const std::optional<SaveFacts>& saves() const { return saves_; }
  const std::vector<CapFacts>& power_caps() const { return power_caps_; }
  int64_t failed_saves() const { return failed_saves_; }
  int64_t spikes() const { return spikes_; }
  int64_t skipped_steps() const { return skipped_steps_; }  // whose update was left out
  // The last one.
  const ValidationMetrics& last_validation() const { return last_validation_; }
  double seconds() const { return seconds_; }  // of all steps
  int64_t tokens() const { return tokens_; }
  // Over all steps that have them, each against the ceiling and the peak of its own attempt.
  const TimeMean& matmul_share() const { return matmul_share_; }
  const TimeMean& mfu() const { return mfu_; }
  // By attempt, of the steps that count.
  std::vector<AttemptSpeed> speeds() const;
  // What reading the file found wrong with it, a sentence each.
  const std::vector<std::string>& notes() const { return notes_; }
  // Leaves the shares of an attempt's steps out: their ceiling was too low.
  void forget_matmul_shares(int64_t attempt);

 private:
  void read(const std::filesystem::path& path, int64_t last_step);
  void write(const std::string& line);
  void add_save(const SaveTimes& times);
  void add_speed(int64_t attempt, double seconds, int64_t tokens,
                 std::optional<double> matmul_share, std::optional<double> mfu);
  void add_task_point(int64_t step, const TaskMetrics& metrics);
  std::optional<double> loss_per_kwh(const ValidationMetrics& now) const;
  // How long so many steps take, by the median of recent ones.
  double seconds_of(double num_steps) const;

  std::unique_ptr<AppendFile> file_;
  bool warned_ = false;
  double last_shown_ = 0;
  std::deque<double> recent_seconds_;  // of steps of this attempt
  std::vector<CurvePoint> train_loss_;
  std::vector<CurvePoint> validation_loss_;
  std::vector<TaskCurve> tasks_;
  std::optional<SaveFacts> saves_;
  std::vector<CapFacts> power_caps_;
  int64_t failed_saves_ = 0;
  int64_t spikes_ = 0;
  int64_t skipped_steps_ = 0;
  double written_bytes_ = 0;    // of all saves
  double writing_seconds_ = 0;  // of all saves, without rests
  ValidationMetrics last_validation_;
  double seconds_ = 0;
  int64_t tokens_ = 0;
  std::vector<std::string> notes_;
  TimeMean matmul_share_;
  TimeMean mfu_;
  struct OfAttempt {
    double seconds = 0;
    int64_t tokens = 0;
    TimeMean matmul_share;
    TimeMean mfu;
  };
  std::map<int64_t, OfAttempt> attempts_;
};

}  // namespace lmtrain
