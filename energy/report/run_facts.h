// What a report says about the training. The trainer fills it in and keeps it as JSON in the run's
// folder, so that the report can be written again from the folder alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

struct CurvePoint {
  int64_t step = 0;
  double value = 0.0;
};

// The validation loss of one of several sources, in nats.
struct SourceLoss {
  std::string source;  // its path in the config
  double loss = 0.0;
};

struct TextSample {
  std::string prompt;
  std::string text;
};

// How a task of eval.tasks, or the labels of the validation texts, went while the model was
// trained.
struct TaskCurve {
  std::string name;
  std::string measure;  // "accuracy"
  bool lower_is_better = false;
  std::vector<CurvePoint> points;

  // The best point; there is at least one.
  const CurvePoint& best() const;
};

// How often each label (row) was predicted as each (column).
struct ConfusionFacts {
  std::vector<std::string> labels;
  std::vector<std::vector<int64_t>> counts;
};

// What it took to make the checkpoint of another run from which this run began. The numbers of this
// run do not include it.
struct Inherited {
  std::string checkpoint;
  int64_t steps = 0;
  int64_t tokens = 0;
  double joules = 0.0;  // of the computers
};

// The saves of checkpoints that are on record.
struct SaveFacts {
  int64_t count = 0;
  int64_t bytes = 0;              // of the last one
  double stall_seconds = 0.0;     // in which training stood still, of all
  double persist_seconds = 0.0;   // in which they were written, of all
  double bytes_per_second = 0.0;  // while they were written, without rests, over all
};

// The steps of one attempt that count.
struct AttemptSpeed {
  int64_t attempt = 1;
  double seconds = 0;
  int64_t tokens = 0;
  std::optional<double> matmul_share;  // of the ceiling that the attempt measured
  std::optional<double> mfu;           // of the peak by data sheet
};

// What steps took at one power cap (energy.max_slowdown).
struct CapTrialFacts {
  std::string setting;  // "280 W", "2,400 MHz"
  double share = 1.0;   // of the setting before the run
  double step_seconds = 0;
  double step_joules = 0;  // of the computers
};

// The caps that an attempt has tried, the first of them without a cap, and the one that it took: a
// share of 1 for none.
struct CapFacts {
  int64_t attempt = 1;
  double max_slowdown = 0;
  double chosen_share = 1.0;
  std::vector<CapTrialFacts> trials;
};

struct RunFacts {
  std::string name;
  std::string started;  // "2025-01-31T12:00:00Z", of the first attempt
  bool finished = false;
  int64_t patience = 0;  // eval.patience, where it has ended the run; else 0
  double seconds = 0.0;  // of training in all attempts
  std::optional<Inherited> inherited;
  int64_t steps = 0;             // done, each counted once
  int64_t tokens = 0;            // trained on, each step counted once
  double flops = 0.0;            // floating-point operations for those tokens
  bool has_lost_energy = false;  // a ledger was lost: more was used than the report knows
  int64_t num_parameters = 0;
  std::string model;      // "gpt2, 6 layers, 6 heads, width 384"
  std::string precision;  // "bf16"
  int64_t num_ranks = 1;
  int64_t num_nodes = 1;
  std::optional<double> first_validation_loss;  // nats per token
  std::optional<double> last_validation_loss;
  std::optional<double> bits_per_byte;
  std::optional<double> bigram_bits_per_byte;
  std::optional<double> masked_accuracy;         // bert: share of masked tokens predicted
  std::optional<double> most_frequent_accuracy;  // the same if one always took the commonest token
  std::optional<double> sentence_accuracy;       // bert: share of pairs told apart
  std::optional<double> tokens_per_second;
  // Over the training time of all attempts, each against its own machine, 0 to 1.
  std::optional<double> matmul_share;  // of the measured ceiling
  std::optional<double> mfu;           // of the peak by data sheet
  std::vector<AttemptSpeed> speeds;    // empty in facts of earlier versions
  std::vector<CapFacts> power_caps;
  std::optional<SaveFacts> saves;
  int64_t failed_saves = 0;   // that were abandoned
  int64_t spikes = 0;         // of the loss or the gradient norm (train.spikes)
  int64_t skipped_steps = 0;  // whose update was left out (train.skip_nonfinite, train.spikes)
  std::vector<CurvePoint> train_loss;
  std::vector<CurvePoint> validation_loss;
  std::vector<SourceLoss> validation_by_source;  // of the last validation; empty with one source
  std::vector<TaskCurve> tasks;
  std::optional<ConfusionFacts> confusion;  // of the last validation of labelled texts
  std::vector<TextSample> samples;
  std::vector<std::string> notes;  // on the run's records, such as damage, a sentence each
  std::string software;            // "lmtrain 0.1.0 (commit), LibTorch 2.11.0"
  std::string command_line;
  std::string config_yaml;  // resolved, the settings that differ from their defaults
};

// The object that facts.json and metrics.jsonl have of it; reading throws DataError as below.
nlohmann::json to_json(const CapFacts& caps);
CapFacts parse_cap_facts(const nlohmann::json& object);

std::string to_json(const RunFacts& facts);
// Throws DataError naming the field that is absent or of the wrong type.
RunFacts parse_run_facts(std::string_view text);
// Reads the file; nothing where there is none. A damaged one is set aside (set_aside) with a
// warning: a record must not stop a run.
std::optional<RunFacts> load_run_facts(const std::filesystem::path& path);

}  // namespace lmtrain
