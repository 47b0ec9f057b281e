#include "trainer/planning/feasibility.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/durable_file.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "data/source_files.h"
#include "data/tokenizer/tokenizer.h"
#include "energy/grid/carbon_intensity.h"
#include "energy/grid/energy_price.h"
#include "models/model_sizes.h"
#include "trainer/checkpoint/resume_compatibility.h"
#include "trainer/config/resolve_task.h"
#include "trainer/config/resume_setting.h"
#include "trainer/planning/finetuning_feasibility.h"
#include "trainer/planning/layouts.h"
#include "trainer/planning/memory_estimate.h"
#include "trainer/step/optimizers.h"
#include "trainer/step/schedule.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameLength = 100;

// Said first: what else is wrong with a head that cannot be trained does not matter.
void check_head(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  if (c.model.has_language_head() || !predicts_text(c.task)) return;
  throw ConfigError(cat(place_of(loaded, {"model.head", "model.init_from"}),
                        "model.head = ", c.model.head,
                        " cannot be trained; make it language_model, or in bert pretraining with "
                        "data.pairs, or set task to what labelled texts teach"));
}

void check_model(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  if (const auto problem = find_problem(with_some_labels(c)))
    throw ConfigError(place_of(loaded, problem->keys) + problem->text);
  if (c.data.sequence_length > c.model.max_positions) {
    throw ConfigError(cat(place_of(loaded, {"data.sequence_length", "model.max_positions"}),
                          "data.sequence_length = ", c.data.sequence_length,
                          " is more than model.max_positions = ", c.model.max_positions,
                          "; lower the first or raise the second"));
  }
}

// The first key that was set to another value than its default although this model, or a run
// without pairs, does not use it; "" when there is none.
std::string find_idle_data_key(const Config& config) {
  std::vector<std::string> idle;
  if (config.model.traits().predicts_next_token()) {
    idle = {"data.masking.", "data.pairs", "data.short_fraction", "data.duplicates"};
  } else if (!config.data.has_pairs()) {
    idle = {"data.short_fraction"};
    if (config.data.masking.dynamic) idle.emplace_back("data.duplicates");
  }
  return find_changed_key(config, idle);
}

// Keys of section `optimizer` that this kind does not read.
void check_optimizer(const LoadedConfig& loaded) {
  const OptimizerKind chosen = loaded.config.optimizer.kind;
  const std::string section = "optimizer.";
  for (const ConfigChange& change : config_changes(values_of(Config{}), values_of(loaded.config))) {
    if (!change.key.starts_with(section) || change.key == section + "kind") continue;
    const std::string key = change.key.substr(section.size());
    if (is_named(key, keys_of(chosen))) continue;
    std::vector<std::string> readers;
    for (const OptimizerKind kind : all_values<OptimizerKind>()) {
      if (is_named(key, keys_of(kind))) readers.push_back(cat(kind));
    }
    throw ConfigError(cat(place_of(loaded, {change.key}), change.key,
                          " has no effect with optimizer.kind = ", chosen,
                          "; leave it out or set optimizer.kind = ", join(readers, " or ")));
  }
}

// The data must be prepared for what the model learns.
void check_objective(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  check_labelled(loaded);
  if (const std::string key = find_idle_data_key(c); !key.empty()) {
    throw ConfigError(cat(place_of(loaded, {key}), key, " has no effect with model.kind = ",
                          c.model.kind, ", data.pairs = ", c.data.pairs,
                          c.data.masking.dynamic ? " and dynamic masks" : "", "; leave it out"));
  }
  if (c.tokenizer.kind == TokenizerKind::kWordpiece && c.tokenizer.path.empty() &&
      c.model.traits().predicts_next_token()) {
    throw ConfigError(cat(place_of(loaded, {"tokenizer.kind", "model.kind"}),
                          "tokenizer.kind = wordpiece is for model.kind = bert: its tokens do not "
                          "give the text back; take bpe"));
  }
  if (c.tokenizer.kind != TokenizerKind::kWordpiece && !c.tokenizer.lowercase) {
    throw ConfigError(cat(place_of(loaded, {"tokenizer.lowercase"}),
                          "tokenizer.lowercase is for tokenizer.kind = wordpiece; leave it out"));
  }
  if (c.model.traits().predicts_next_token() || is_labelled(c)) return;
  if (c.model.has_sentence_head() != c.data.has_pairs()) {
    throw ConfigError(cat(place_of(loaded, {"data.pairs", "model.head"}), "model.head = ",
                          c.model.head, " does not go with data.pairs = ", c.data.pairs,
                          "; pairs are what the head of pretraining learns from"));
  }
  if (c.data.has_pairs() && c.data.isolate_documents) {
    throw ConfigError(cat(place_of(loaded, {"data.isolate_documents"}),
                          "data.isolate_documents = true does not go with data.pairs, whose two "
                          "segments must see each other"));
  }
  if (c.data.has_pairs() && c.model.traits().num_segments < 2) {
    throw ConfigError(cat(place_of(loaded, {"model.num_segments"}),
                          "model.num_segments = 1 is too few for data.pairs; make it 2"));
  }
  constexpr int64_t kLeast = 8;
  if (c.data.sequence_length < kLeast) {
    throw ConfigError(cat(place_of(loaded, {"data.sequence_length"}),
                          "data.sequence_length = ", c.data.sequence_length,
                          " leaves no room beside the special tokens of "
                          "bert; make it at least ",
                          kLeast));
  }
}

void check_parallel(const LoadedConfig& loaded, int num_ranks) {
  const Config& c = loaded.config;
  if (num_ranks % c.parallel.tensor != 0) {
    throw ConfigError(cat(place_of(loaded, {"parallel.tensor"}),
                          "parallel.tensor = ", c.parallel.tensor, " does not divide the ",
                          num_ranks, num_ranks == 1 ? " rank" : " ranks", " of this job; start ",
                          c.parallel.tensor, " ranks, or a multiple, with mpirun -n ",
                          c.parallel.tensor));
  }
  if (c.parallel.sequence && c.parallel.tensor == 1) {
    throw ConfigError(cat(place_of(loaded, {"parallel.sequence"}),
                          "parallel.sequence = true cuts tokens over the ranks of the tensor axis, "
                          "and parallel.tensor is 1; raise that or leave it out"));
  }
  const std::string reason = why_not_tensor(c, c.parallel.tensor, c.parallel.sequence);
  if (!reason.empty()) throw ConfigError(place_of(loaded, {"parallel.tensor"}) + reason);
}

void check_batch(const LoadedConfig& loaded, int num_ranks) {
  const Config& c = loaded.config;
  const int64_t data_ranks = num_ranks / c.parallel.tensor;
  const int64_t at_once = data_ranks * c.train.micro_batch_size;
  if (c.train.global_batch_size % at_once == 0) return;
  throw ConfigError(
      cat(place_of(loaded, {"train.global_batch_size", "train.micro_batch_size"}),
          "train.global_batch_size = ", c.train.global_batch_size, " is not divisible by ", at_once,
          " (", data_ranks,
          " data-parallel ranks x train.micro_batch_size = ", c.train.micro_batch_size,
          "); choose a multiple of ", at_once, ", a smaller micro-batch or other ranks"));
}

// Samples and tokens of the whole run are counted in 64 bits.
void check_counts(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  constexpr int64_t kMost = int64_t{1} << 62;
  const int64_t tokens_of_step = c.train.global_batch_size * c.data.sequence_length;
  if (c.train.steps <= kMost / tokens_of_step) return;
  throw ConfigError(cat(place_of(loaded, {"train.steps"}), "train.steps = ", c.train.steps, " of ",
                        tokens_of_step,
                        " tokens (train.global_batch_size x data.sequence_length) are more tokens "
                        "than can be counted; at most ",
                        kMost / tokens_of_step, " steps"));
}

// Which of two checkpoints is the better one is known where both were validated.
void check_retention(const LoadedConfig& loaded) {
  const CheckpointConfig& checkpoint = loaded.config.checkpoint;
  const int64_t validation = loaded.config.eval.interval;
  if (checkpoint.interval && is_changed(loaded, "checkpoint.mtbf_hours")) {
    throw ConfigError(
        cat(place_of(loaded, {"checkpoint.mtbf_hours"}),
            "checkpoint.mtbf_hours has no effect with checkpoint.interval = ", *checkpoint.interval,
            "; leave it out or set checkpoint.interval = auto"));
  }
  if (checkpoint.keep_every > 0 && checkpoint.interval.value_or(0) == 0) {
    throw ConfigError(cat(place_of(loaded, {"checkpoint.keep_every"}),
                          "checkpoint.keep_every has no effect with checkpoint.interval = ",
                          checkpoint.interval ? "0" : "auto",
                          ", which saves at no steps known beforehand; set an interval"));
  }
  if (checkpoint.keep_best == 0) return;
  if (checkpoint.interval == 0) {
    throw ConfigError(cat(place_of(loaded, {"checkpoint.keep_best"}),
                          "checkpoint.keep_best has no effect with checkpoint.interval = 0, which "
                          "saves at the end alone; set an interval"));
  }
  if (checkpoint.interval && validation > 0 && *checkpoint.interval % validation == 0) return;
  throw ConfigError(cat(
      place_of(loaded, {"checkpoint.keep_best"}),
      "checkpoint.keep_best needs a validation at each checkpoint: eval.interval = ", validation,
      " must divide checkpoint.interval = ",
      checkpoint.interval ? cat(*checkpoint.interval) : "auto", "; set both"));
}

void check_spikes(const LoadedConfig& loaded) {
  const char* const key = "train.spikes.max_roll_backs";
  if (!is_changed(loaded, key) || loaded.config.train.spikes.policy == SpikePolicy::kRollBack)
    return;
  throw ConfigError(cat(place_of(loaded, {key}), key, " has no effect with train.spikes.policy = ",
                        loaded.config.train.spikes.policy, "; leave it out or set roll_back"));
}

void check_stop(const LoadedConfig& loaded) {
  const RunConfig& run = loaded.config.run;
  if (!run.stop_after || !run.stop_before_end || *run.stop_before_end < *run.stop_after) return;
  throw ConfigError(cat(place_of(loaded, {"run.stop_before_end", "run.stop_after"}),
                        "run.stop_before_end = ", duration_text(*run.stop_before_end),
                        " is no less than run.stop_after = ", duration_text(*run.stop_after),
                        ": the run would stop before its first step"));
}

void check_name(const LoadedConfig& loaded) {
  const std::string& name = loaded.config.run.name;
  const auto allowed = [](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  const bool valid = !name.empty() && name.size() <= kMaxNameLength && name[0] != '.' &&
                     std::all_of(name.begin(), name.end(), allowed);
  if (valid) return;
  throw ConfigError(cat(place_of(loaded, {"run.name"}), "run.name = \"", one_line(name),
                        "\" is no folder name of 1 to ", kMaxNameLength,
                        " letters, digits, '.', '_', '-' that starts with another than '.'"));
}

void check_output_folder(const LoadedConfig& loaded) {
  const RunConfig& run = loaded.config.run;
  const std::string place = place_of(loaded, {"run.dir", "run.name"});
  if (run.dir.empty()) throw ConfigError(cat(place, "run.dir is empty; name a folder for runs"));
  const std::string reason = why_not_writable(fs::path(run.dir) / run.name);
  if (!reason.empty()) throw ConfigError(cat(place, "run.dir = ", run.dir, ": ", reason));
}

// Either every source has a weight or none has.
void check_weights(const LoadedConfig& loaded) {
  const std::vector<SourceConfig>& sources = loaded.config.data.sources;
  if (!loaded.config.data.has_weights()) return;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].weight > 0.0) continue;
    const std::string key = cat("data.sources.", i, ".weight");
    throw ConfigError(
        cat(place_of(loaded, {key, "data.sources"}), key,
            " is 0 while another source has a weight; give each source one, or none"));
  }
}

void check_sources(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  if (c.data.sources.empty()) {
    throw ConfigError(cat(place_of(loaded, {"data.sources"}),
                          "data.sources names no text; for example data.sources=[{path: FOLDER}]"));
  }
  for (size_t i = 0; i < c.data.sources.size(); ++i) {
    const std::string key = cat("data.sources.", i, ".path");
    const std::string& path = c.data.sources[i].path;
    if (path.empty()) throw ConfigError(cat(place_of(loaded, {key}), key, " is empty"));
    if (c.data.sources[i].separator.find_first_of("\r\n") != std::string::npos) {
      const std::string separator = cat("data.sources.", i, ".separator");
      throw ConfigError(cat(place_of(loaded, {separator}), separator,
                            " holds a line break, but it is compared with single lines; name the "
                            "line alone, such as %"));
    }
  }
  check_weights(loaded);
}

// That what the rank that prepares the text reads is there.
void check_texts(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  for (size_t i = 0; i < c.data.sources.size(); ++i) {
    const std::string key = cat("data.sources.", i, ".path");
    const std::string& path = c.data.sources[i].path;
    if (source_exists(path)) continue;
    const bool is_of_recipe = path.rfind("corpus/", 0) == 0;
    throw DataError(cat(place_of(loaded, {key}), key, " = ", path, " does not exist",
                        is_of_recipe ? "; scripts/make_corpus.sh makes the recipes' corpora" : ""));
  }
  for (const std::string& path : c.data.labelled.held_out) {
    if (!source_exists(path))
      throw DataError(cat(place_of(loaded, {"data.labelled.held_out"}),
                          "data.labelled.held_out: ", path, " does not exist"));
  }
  const std::string& chat_template = c.data.labelled.chat_template;
  if (std::error_code ignored; !chat_template.empty() && !fs::exists(chat_template, ignored)) {
    throw DataError(cat(place_of(loaded, {"data.labelled.chat_template"}),
                        "data.labelled.chat_template: ", chat_template, " does not exist"));
  }
  const std::string& tokenizer = c.tokenizer.path;
  if (tokenizer.empty() || has_tokenizer(tokenizer)) return;
  throw DataError(cat(place_of(loaded, {"tokenizer.path"}), "tokenizer.path = ", tokenizer,
                      ": there is no tokenizer.json, nor vocab.json with merges.txt",
                      hint_on_downloads(tokenizer)));
}

void check_budget(const LoadedConfig& loaded) {
  const EnergyConfig& energy = loaded.config.energy;
  if (!energy.budget.money || energy.price_per_kwh > 0 || energy.price_per_device_hour > 0) return;
  throw ConfigError(cat(place_of(loaded, {"energy.budget.money"}),
                        "energy.budget.money has no effect without a price; set "
                        "energy.price_per_kwh or energy.price_per_device_hour"));
}

void check_pauses(const LoadedConfig& loaded) {
  const EnergyConfig& energy = loaded.config.energy;
  const PauseConfig& schedule = energy.schedule;
  if (!schedule.pause_above) {
    for (const char* key :
         {"energy.schedule.intensity", "energy.schedule.max_delay", "energy.schedule.mode"}) {
      if (is_changed(loaded, key))
        throw ConfigError(cat(place_of(loaded, {key}), key,
                              " has no effect without energy.schedule.pause_above; set that too"));
    }
    return;
  }
  if (pause_file(energy).empty())
    throw ConfigError(cat(place_of(loaded, {"energy.schedule.pause_above"}),
                          "energy.schedule.pause_above needs a file of intensities; name it in "
                          "energy.schedule.intensity"));
}

void check_region(const LoadedConfig& loaded) {
  try {
    grid_intensity(loaded.config.energy);
  } catch (const ConfigError& error) {
    throw ConfigError(cat(place_of(loaded, {"energy.region"}), error.what()));
  }
}

// A task that fails after hours of training would be found out too late.
void check_tasks(const LoadedConfig& loaded) {
  const std::vector<TaskConfig>& tasks = loaded.config.eval.tasks;
  const bool is_decoder = loaded.config.model.traits().predicts_next_token();
  std::set<std::string> names;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string key = cat("eval.tasks[", i, "]");
    const std::string place = place_of(loaded, {key + ".path", "eval.tasks"});
    if (!fs::is_regular_file(tasks[i].path)) {
      throw ConfigError(cat(place, key, ".path = ",
                            tasks[i].path.empty() ? "nothing" : tasks[i].path, " is no file"));
    }
    if (!names.insert(tasks[i].shown_name()).second)
      throw ConfigError(cat(place, key, " has the name of an earlier task; set its name"));
    if (!is_decoder && tasks[i].task != TaskKind::kPairs) {
      throw ConfigError(cat(place, key, ".task = ", tasks[i].task,
                            " is for models that predict the next token; an encoder has pairs"));
    }
  }
  if (tasks.empty() && is_changed(loaded, "eval.tasks_interval")) {
    throw ConfigError(cat(place_of(loaded, {"eval.tasks_interval"}),
                          "eval.tasks_interval has no effect without eval.tasks; leave it out"));
  }
}

void check_phase(const LoadedConfig& loaded) {
  const Config& c = loaded.config;
  if (c.run.continue_from.empty()) return;
  const std::string place = place_of(loaded, {"run.continue_from"});
  if (parse_resume(c.run.resume).from == ResumeFrom::kPath) {
    throw ConfigError(cat(
        place, "run.continue_from begins a new phase at step 0, and run.resume = ", c.run.resume,
        " goes on with the steps of a checkpoint; leave one of them "
        "out"));
  }
  if (c.resume.mode == ResumeMode::kWeightsAlone) {
    throw ConfigError(cat(place,
                          "run.continue_from keeps the optimizer, and resume.mode = weights begins "
                          "with a new one; to begin with weights alone set model.init_from=",
                          c.run.continue_from));
  }
}

void check_schedule(const LoadedConfig& loaded) {
  if (loaded.config.schedule.warmup_ratio == 0.0) return;
  if (!is_changed(loaded, "schedule.warmup_steps")) return;
  throw ConfigError(cat(place_of(loaded, {"schedule.warmup_steps"}),
                        "schedule.warmup_steps has no effect with schedule.warmup_ratio; leave one "
                        "of them out"));
}

}  // namespace

std::vector<std::string> schedule_notes(const Config& config) {
  std::vector<std::string> notes;
  const ScheduleConfig& schedule = config.schedule;
  const int64_t steps = config.train.steps;
  if (steps > 0 && warmup_of(schedule, steps) > steps) {
    notes.push_back(cat("schedule.warmup_steps = ", schedule.warmup_steps,
                        " is more than train.steps = ", steps,
                        ": the learning rate never reaches optimizer.lr"));
  } else if (schedule.kind == ScheduleKind::kConstantThenDecay) {
    const auto decay = std::llround(schedule.decay_fraction * static_cast<double>(steps));
    const int64_t warmup = warmup_of(schedule, steps);
    if (warmup + decay > steps) {
      notes.push_back(cat("a warm-up of ", warmup, " steps and the decay of ", decay,
                          " steps take more than train.steps = ", steps, ": the decay is shorter"));
    }
  }
  return notes;
}

void check_energy(const LoadedConfig& loaded) {
  check_region(loaded);
  check_budget(loaded);
  check_pauses(loaded);
}

void check_before_data(const LoadedConfig& loaded, int num_ranks, bool prepares_text) {
  check_head(loaded);
  check_model(loaded);
  check_objective(loaded);
  check_phase(loaded);
  check_schedule(loaded);
  check_optimizer(loaded);
  check_parallel(loaded, num_ranks);
  check_batch(loaded, num_ranks);
  check_counts(loaded);
  check_retention(loaded);
  check_adapters(loaded);
  check_frozen(loaded);
  check_measure(loaded);
  check_spikes(loaded);
  check_stop(loaded);
  check_allowed_changes(loaded);
  check_name(loaded);
  check_output_folder(loaded);
  check_sources(loaded);
  if (prepares_text) check_texts(loaded);
  check_energy(loaded);
  check_tasks(loaded);
  for (const std::string& note : schedule_notes(loaded.config)) log_info(note);
}

}  // namespace lmtrain
