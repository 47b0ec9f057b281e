// The whole config of a run: one struct per module, in the order that documents show.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"
#include "data/data_config.h"
#include "energy/energy_config.h"
#include "energy/report/report_config.h"
#include "models/model_config.h"
#include "parallel/parallel_config.h"
#include "parallel/precision.h"
#include "trainer/config/optimizer_config.h"
#include "trainer/config/task_config.h"

namespace lmtrain {

// Steps are multiplied by the sequences of a step (at most 2^24) and those by the tokens of one (at
// most 2^20). check_before_data refuses products that do not fit.
inline constexpr int64_t kMostSteps = int64_t{1} << 38;

struct RunConfig {
  std::string name = "run";
  std::string dir = "runs";
  int64_t seed = 1;
  std::string resume = "auto";            // see parse_resume
  std::string continue_from;              // a checkpoint or a run's folder
  std::optional<double> stop_after;       // seconds since the program started; none: never
  std::optional<double> stop_before_end;  // seconds; none: what a save takes here

  void describe(Fields& f) {
    f.text("name", name, "Name of the run; its records are in DIR/NAME.");
    f.text("dir", dir, "Folder of all runs.");
    f.integer("seed", seed, {.min = 0, .max = int64_t{1} << 62},
              "Seed of initialisation, data order, dropout and sampling.")
        .fixed_on_resume();
    f.text("resume", resume,
           "auto continues from the newest checkpoint of DIR/NAME, never starts anew (the run's "
           "folder must "
           "not exist), a PATH starts from that checkpoint.");
    f.text("continue_from", continue_from,
           "A checkpoint, or a run's folder for its newest, with whose weights and optimizer a new "
           "run begins at its own step 0: the next phase, with other text, sequences, weights of "
           "sources, batches or schedule. What else may change resume.allow says.");
    f.duration(
        "stop_after", stop_after, "never",
        "Time after its start by which this attempt has saved and ended with exit code 75. If the "
        "start alone takes longer than this less stop_before_end, nothing is trained.");
    f.duration(
        "stop_before_end", stop_before_end, "auto",
        "How long before the end of the Slurm job (SLURM_JOB_END_TIME), or of stop_after, the "
        "run saves and ends with exit code 75: auto takes the time of a save and of a step, "
        "as measured here. 0s leaves the end to the signals of the system.");
  }
};

// What is done about a step whose loss or gradient norm jumps.
enum class SpikePolicy { kWarn, kSkip, kRollBack };
constexpr auto choice_names(SpikePolicy) {
  return std::to_array<std::string_view>({"warn", "skip", "roll_back"});
}

struct SpikeConfig {
  SpikePolicy policy = SpikePolicy::kWarn;
  double z_score = 6.0;
  int64_t window = 100;
  int64_t max_roll_backs = 3;

  void describe(Fields& f) {
    f.choice("policy", policy,
             "warn logs a spike. skip also skips the step's update. roll_back restores the newest "
             "checkpoint and skips the batches from there to the spike; without a checkpoint it "
             "skips the update.");
    f.real("z_score", z_score, {.min = 0.0, .max = 1e6, .min_excluded = true},
           "Standard deviations above the mean from which a loss or the logarithm of a gradient "
           "norm is a spike.");
    f.integer("window", window, {.min = 2, .max = 1 << 20},
              "Steps over which mean and deviation are taken (as exponential averages); there are "
              "no spikes before so many.");
    f.integer("max_roll_backs", max_roll_backs, {.min = 1, .max = 1000000},
              "roll_back: the maximum number of roll-backs of the run; the next spike ends it with "
              "exit code 70.");
  }
};

struct TrainConfig {
  int64_t steps = 600;
  int64_t global_batch_size = 8;
  int64_t micro_batch_size = 4;
  Precision precision = Precision::kBf16;
  double clip_grad_norm = 1.0;
  double z_loss = 0.0;
  std::vector<std::string> freeze;
  int64_t skip_nonfinite = 3;
  SpikeConfig spikes;
  int64_t drift_every = 100;
  int64_t replay_every = 0;
  bool trace = false;

  void describe(Fields& f) {
    f.integer("steps", steps, {.min = 0, .max = kMostSteps}, "Optimizer steps of the whole run.")
        .warned_on_resume();
    f.integer("global_batch_size", global_batch_size, {.min = 1, .max = 1 << 24},
              "Sequences of one step, over all ranks and micro-batches.")
        .fixed_on_resume();
    f.integer("micro_batch_size", micro_batch_size, {.min = 1, .max = 1 << 20},
              "Sequences that one rank computes at once.")
        .warned_on_resume();
    f.choice(
         "precision", precision,
         "Compute precision; master weights, gradients and moments are fp32 (fp64 in fp64). auto "
         "takes the faster of bf16 and fp32, measured at the start, and a checkpoint's when "
         "there is one.")
        .fixed_on_resume();
    f.real("clip_grad_norm", clip_grad_norm, {.min = 0.0},
           "Largest global gradient norm; 0 turns clipping off.")
        .warned_on_resume();
    f.real(
         "z_loss", z_loss, {.min = 0.0, .max = 1.0},
         "Weight of the squared log of the softmax's denominator, added to the trained loss (PaLM "
         "uses 0.0001); records show the loss without it.")
        .warned_on_resume();
    f.texts("freeze", freeze,
            "Names of parameters that stay as they are, as patterns (embedding.*, blocks.[0-5].*, "
            "*.norm.*); lmtrain inspect --tensors lists the names. Nothing but the weights is kept "
            "of them, in the type of precision.")
        .fixed_on_resume();
    f.integer(
         "skip_nonfinite", skip_nonfinite, {.min = 0, .max = 1000000},
         "Maximum number of consecutive steps whose update is skipped because their loss or "
         "gradients are not finite (NaN or infinity); one more ends the run with exit code 70.")
        .warned_on_resume();
    f.section("spikes", spikes, "Steps whose loss or gradient norm jumps.").warned_on_resume();
    f.integer("drift_every", drift_every, {.min = 0, .max = kMostSteps},
              "Steps between comparisons of the replicas that ranks keep of weights and optimizer "
              "state; they are also compared before each save. A difference ends the run with exit "
              "code 70 and names tensor and rank. 0 never compares.");
    f.integer(
        "replay_every", replay_every, {.min = 0, .max = kMostSteps},
        "Every N steps one step is computed twice and compared bit for bit, to find a machine "
        "that computes wrong. A difference ends the run with exit code 70 and names the rank. "
        "0 never does.");
    f.boolean("trace", trace,
              "Record when each rank computes and communicates, for chrome://tracing and "
              "ui.perfetto.dev (docs/performance.md): DIR/NAME/trace/rank-00000.json, ...");
  }
};

enum class ScheduleKind { kCosine, kLinear, kConstantThenDecay };
constexpr auto choice_names(ScheduleKind) {
  return std::to_array<std::string_view>({"cosine", "linear", "constant_then_decay"});
}

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::kCosine;
  int64_t warmup_steps = 20;
  double warmup_ratio = 0.0;
  double min_lr_ratio = 0.1;
  double decay_fraction = 0.2;

  void describe(Fields& f) {
    f.choice("kind", kind, "Shape of the learning rate after warm-up.");
    f.integer("warmup_steps", warmup_steps, {.min = 0, .max = kMostSteps},
              "Steps of linear warm-up.");
    f.real("warmup_ratio", warmup_ratio, {.min = 0.0, .max = 1.0},
           "In place of warmup_steps the share of all steps that warm up, rounded up; 0: as "
           "warmup_steps says.");
    f.real("min_lr_ratio", min_lr_ratio, {.min = 0.0, .max = 1.0},
           "Last learning rate over the peak.");
    f.real("decay_fraction", decay_fraction, {.min = 0.0, .max = 1.0},
           "constant_then_decay: the share of all steps, at the end, in which the rate falls.");
  }
};

struct EvalConfig {
  static constexpr int64_t kBatches = 20;  // of a validation, where `batches` does not say
  int64_t interval = 50;
  std::optional<int64_t> batches;  // none: 20, or all labelled texts
  std::string measure = "loss";
  int64_t patience = 0;
  int64_t samples = 3;
  int64_t sample_tokens = 100;
  std::vector<std::string> prompts;
  std::vector<TaskConfig> tasks;
  int64_t tasks_interval = 0;

  void describe(Fields& f) {
    f.integer("interval", interval, {.min = 0, .max = kMostSteps},
              "Steps between validations; 0 validates at the end only.");
    f.optional_integer("batches", batches, {.min = 1, .max = int64_t{1} << 32}, "auto",
                       "Global batches of a validation, at most so many; auto: 20, and of labelled "
                       "texts all.");
    f.text("measure", measure,
           "By what checkpoints are the best (checkpoint.keep_best) and a run ends early: loss, or "
           "a measure of labelled texts, such as accuracy, f1_macro, matthews, pearson, span_f1 or "
           "answer_f1 (docs/finetuning.md).")
        .fixed_on_resume();
    f.integer(
        "patience", patience, {.min = 0, .max = 1000000},
        "Validations in a row without a better measure after which the run ends, as if it had "
        "done all its steps; 0: never.");
    f.integer("samples", samples, {.min = 0, .max = 1000},
              "Samples that the model writes at the end, for the report: texts of a decoder, "
              "predictions of an encoder.");
    f.integer("sample_tokens", sample_tokens, {.min = 1, .max = 1 << 20},
              "Tokens of a decoder's sample, at most so many.");
    f.texts("prompts", prompts,
            "Texts that the samples go on from, in turn; without any, each begins a new text.");
    f.list("tasks", tasks, "Files of tasks on which the model is evaluated, as by lmtrain eval.");
    f.integer("tasks_interval", tasks_interval, {.min = 0, .max = kMostSteps},
              "Steps between evaluations on the tasks; 0 evaluates at the end only.");
  }
};

struct CheckpointConfig {
  std::optional<int64_t> interval = 100;  // nothing: by Young's formula
  double mtbf_hours = 24.0;
  bool asynchronous = true;
  int64_t file_mib = 128;
  int64_t keep = 3;
  int64_t keep_every = 0;
  int64_t keep_best = 0;

  void describe(Fields& f) {
    f.optional_integer(
        "interval", interval, {.min = 0, .max = kMostSteps}, "auto",
        "Steps between checkpoints; 0 saves at the end only. auto saves so often that saves and "
        "steps lost to failures cost the least, by what a save takes here and by mtbf_hours.");
    f.real("mtbf_hours", mtbf_hours, {.min = 0.0, .max = 1e6, .min_excluded = true},
           "interval auto: mean hours between two failures of the job.");
    f.boolean(
        "asynchronous", asynchronous,
        "Write checkpoints while training goes on, from a copy in memory. Without it training "
        "stands still for a save, which then needs less memory.");
    f.integer("file_mib", file_mib, {.min = 1, .max = 1 << 16},
              "MiB of tensors in a file of a checkpoint, at most so many, or one larger tensor.");
    f.integer(
        "keep", keep, {.min = 1, .max = 1000000},
        "Newest checkpoints that are kept. A save needs room for one more, since none is removed "
        "before the new one verifies.");
    f.integer("keep_every", keep_every, {.min = 0, .max = kMostSteps},
              "Checkpoints of steps that this divides are kept for ever; 0 keeps none so.");
    f.integer("keep_best", keep_best, {.min = 0, .max = 1000000},
              "Checkpoints with the best validations, by eval.measure, that are kept besides.");
  }
};

enum class ResumeMode { kElastic, kStrict, kWeightsAlone };
constexpr auto choice_names(ResumeMode) {
  return std::to_array<std::string_view>({"elastic", "strict", "weights"});
}

struct ResumeConfig {
  ResumeMode mode = ResumeMode::kElastic;
  std::vector<std::string> allow;

  void describe(Fields& f) {
    f.choice("mode", mode,
             "elastic continues with other ranks, threads and builds too, and logs what changed. "
             "strict refuses any change that would alter results, even in the last bit. weights "
             "takes only the weights from the checkpoint: the optimizer begins anew, and its "
             "settings may change; checkpoints that the run saves from then on are continued "
             "whole.");
    f.texts("allow", allow,
            "Changes that are otherwise refused: tokenizer (another content), data (other text), "
            "and fixed keys of the list at the end of docs/config.md or their sections, such as "
            "run.seed.");
  }
};

struct Config {
  TrainingTask task = TrainingTask::kLanguageModeling;
  RunConfig run;
  ResumeConfig resume;
  ModelConfig model;
  TokenizerConfig tokenizer;
  DataConfig data;
  TrainConfig train;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  EvalConfig eval;
  ParallelConfig parallel;
  CheckpointConfig checkpoint;
  EnergyConfig energy;
  ReportConfig report;

  void describe(Fields& f) {
    f.choice(
         "task", task,
         "What the model is trained for. language_modeling: to predict text; classification: "
         "one of the labels of a text or of a pair of texts; regression: its number; tagging: a "
         "label of each word; question_answering: where in a passage the answer to a question "
         "stands. All but the first read labelled texts (data.labelled) and set model.head.")
        .fixed_on_resume();
    f.section("run", run, "The run and its records.");
    f.section("resume", resume, "How a run goes on from a checkpoint.");
    f.section("model", model, "Architecture.").fixed_on_resume();
    f.section("lora", model.lora, "Adapters of low rank, trained in place of the model.")
        .fixed_on_resume();
    f.section("tokenizer", tokenizer, "Tokenizer.");
    f.section("data", data, "Text, sequences, validation split.");
    f.section("train", train, "The training loop.");
    f.section("optimizer", optimizer, "Optimizer.");
    f.section("schedule", schedule, "Learning rate schedule.").warned_on_resume();
    f.section("eval", eval, "Validation.");
    f.section("parallel", parallel, "How ranks share the work.").short_form("layout");
    f.section("checkpoint", checkpoint, "Checkpoints.");
    f.section("energy", energy, "Power logger and emissions report.");
    f.section("report", report,
              "What reports to others need and only people know; docs/reporting.md.");
  }
};

}  // namespace lmtrain
