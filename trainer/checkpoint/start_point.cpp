#include "trainer/checkpoint/start_point.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/report/run_facts.h"
#include "trainer/checkpoint/resume_compatibility.h"
#include "trainer/config/load_config.h"
#include "trainer/config/resume_setting.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

bool is_within(const fs::path& path, const fs::path& folder) {
  const fs::path inner = fs::weakly_canonical(path);
  const fs::path outer = fs::weakly_canonical(folder);
  const auto [outer_end, ignored] =
      std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return outer_end == outer.end();
}

// A run that has checkpoints of its own continues from them. Where `key`, run.resume or
// run.continue_from, names another one, that is allowed only when the run began from that.
void check_began_with(const char* key, const std::string& path, const RunFolder& folder) {
  const std::optional<RunFacts> facts = load_run_facts(folder.facts());
  if (facts && facts->inherited && is_within(facts->inherited->checkpoint, path)) return;
  throw ConfigError(cat(key, " = ", path, ", but ", folder.path.string(),
                        " has checkpoints of its own and did not begin with that one; without it "
                        "the run goes on, another run.name starts a run from ",
                        path));
}

// Whether a record tells of steps that were saved. A damaged one may.
bool tells_of_training(const fs::path& record) {
  if (!fs::exists(record)) return false;
  try {
    return parse_run_facts(read_file(record)).steps > 0;
  } catch (const DataError&) {
    return true;
  }
}

// Whether metrics.jsonl tells of a checkpoint.
bool tells_of_a_save(const fs::path& metrics) {
  if (!fs::exists(metrics)) return false;
  std::istringstream lines(read_file(metrics));
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object() && line.contains("checkpoint_bytes")) return true;
  }
  return false;
}

// A run is never begun anew where one has been, whose checkpoint is gone.
void require_no_earlier_training(const RunFolder& folder) {
  if (tells_of_a_save(folder.metrics())) {
    throw CheckpointError(cat(folder.path.string(),
                              " holds a run without its checkpoints (metrics.jsonl tells of one); "
                              "restore one, or choose another run.name"));
  }
  for (const fs::path& record : {folder.summary(), folder.facts()}) {
    if (!tells_of_training(record)) continue;
    throw CheckpointError(cat(folder.path.string(), " holds a run without its checkpoints (",
                              record.filename().string(),
                              " tells of them); restore one, or choose "
                              "another run.name"));
  }
}

// What counts the steps of the last phase is made to fit those of the new one.
void read_start_manifest(StartPoint& start) {
  start.manifest = read_manifest(start.checkpoint);
  if (!start.is_of_last_phase) return;
  CheckpointState& state = start.manifest.state;
  state.optimizer_began -= state.step;
  state.schedule_step.reset();
  state.guard = {};
}

}  // namespace

void check_may_begin_in(const Config& config, const RunFolder& folder) {
  if (parse_resume(config.run.resume).from != ResumeFrom::kNothing || !fs::exists(folder.path))
    return;
  throw ConfigError(cat("run.resume = never, but ", folder.path.string(),
                        " exists; choose another run.name, or run.resume=auto to continue it"));
}

StartPoint find_start_point(const Config& config, const RunFolder& folder) {
  const ResumeSetting resume = parse_resume(config.run.resume);
  StartPoint start;
  start.checkpoint = newest_checkpoint(folder.checkpoints(), CheckpointCheck::kFilesAndValues);
  if (start.checkpoint.empty()) require_no_earlier_training(folder);
  const std::string& phase = config.run.continue_from;
  const bool is_path = resume.from == ResumeFrom::kPath;
  if (const std::string& other = is_path ? resume.path : phase; !other.empty()) {
    const char* const key = is_path ? "run.resume" : "run.continue_from";
    if (start.checkpoint.empty()) {
      try {
        start.checkpoint = resolve_checkpoint(other, CheckpointCheck::kFilesAndValues);
      } catch (const Error& error) {
        throw Error(error.code(), cat(key, ": ", error.what()));
      }
      start.is_of_last_phase = !is_path;
    } else {
      check_began_with(key, other, folder);
    }
  }
  if (start.checkpoint.empty()) return start;
  read_start_manifest(start);
  const auto& tensors = start.manifest.tensors;
  if (config.resume.mode != ResumeMode::kWeightsAlone &&
      std::ranges::all_of(tensors, [](const auto& t) { return t.group == kWeights; })) {
    throw CheckpointError(cat(start.checkpoint.string(),
                              " holds weights alone, no optimizer; go on from them with "
                              "resume.mode=weights, or start a run with model.init_from"));
  }
  return start;
}

std::optional<Precision> precision_of_start(const Config& config, const RunFolder& folder) {
  std::vector<fs::path> candidates = list_checkpoints(folder.checkpoints());
  const ResumeSetting resume = parse_resume(config.run.resume);
  const std::string& other =
      resume.from == ResumeFrom::kPath ? resume.path : config.run.continue_from;
  if (candidates.empty() && !other.empty()) {
    const fs::path path = other;
    candidates = {path};
    for (const fs::path& within : {path / "checkpoints", path})
      std::ranges::copy(list_checkpoints(within), std::back_inserter(candidates));
  }
  for (const fs::path& checkpoint : candidates) {
    try {
      return read_manifest(checkpoint).state.precision;
    } catch (const Error&) {
      continue;  // find_start_point says why it passes over it
    }
  }
  return std::nullopt;
}

StartPoint find_start_point_together(const Config& config, const RunFolder& folder,
                                     Launch& launch) {
  StartPoint start;
  launch.first_works([&] { start = find_start_point(config, folder); });
  start.checkpoint = gather_texts(launch.world(), start.checkpoint.string())[0];
  start.is_of_last_phase = launch.any(start.is_of_last_phase);
  launch.together([&] {
    if (launch.rank() == 0 || start.checkpoint.empty()) return;
    read_start_manifest(start);
  });
  return start;
}

void check_steps(const StartPoint& start, const Config& config, const RunFolder& folder) {
  if (start.checkpoint.empty()) return;
  const bool is_own = start.is_own(folder);
  const int64_t done = start.step();
  if (config.train.steps > done || (is_own && config.train.steps == done)) return;
  throw ConfigError(cat("train.steps = ", config.train.steps, ", but ", start.checkpoint.string(),
                        " has ", done, " steps behind it; ",
                        is_own ? cat("train.steps=", done,
                                     " finishes the run as it is, and more "
                                     "steps extend it")
                               : cat("set train.steps above ", done,
                                     ", or start from its weights at step 0 with model.init_from=",
                                     start.checkpoint.string())));
}

namespace {

// Throws ConfigError where tokenizer or text differ in content and resume.allow does not name them.
// Returns a note for each that differs and may.
std::vector<std::string> check_texts(const std::string& place, const CheckpointState& then,
                                     const Config& config, const CheckpointState& now,
                                     bool is_new_phase) {
  std::vector<std::string> notes;
  const bool is_same_tokenizer = then.tokenizer_hash == now.tokenizer_hash;
  const auto other = [](const char* what, const std::string& before, const std::string& after) {
    return cat("the ", what, " is not the one of the checkpoint (", before, ", now ", after,
               "), which resume.allow accepts");
  };
  if (!is_same_tokenizer && is_allowed(config, "tokenizer")) {
    notes.push_back(other("tokenizer", then.tokenizer_hash, now.tokenizer_hash));
  } else if (!is_same_tokenizer && !config.tokenizer.path.empty()) {
    throw ConfigError(cat(place, " was trained with another tokenizer (", then.tokenizer_hash,
                          ", now ", now.tokenizer_hash,
                          "); name it with tokenizer.path, choose another run.name, or allow the "
                          "change with resume.allow=[tokenizer]"));
  } else if (!is_same_tokenizer) {
    throw ConfigError(cat(place,
                          " was trained on other text: the tokenizer that is trained on "
                          "data.sources differs (",
                          then.tokenizer_hash, ", now ", now.tokenizer_hash,
                          "); restore the files of data.sources, go on with what is there now by "
                          "resume.allow=[tokenizer, data], or start a run on it with "
                          "model.init_from=",
                          place, " and another run.name"));
  }
  if (!then.start_token) {
    throw ConfigError(cat(place,
                          " was trained by an earlier version of lmtrain, whose token files "
                          "had other tokens between documents; finish the run with that version, "
                          "or start one from it with model.init_from=",
                          place, " and another run.name"));
  }
  if (then.data_fingerprint == now.data_fingerprint || is_new_phase) return notes;
  if (is_allowed(config, "data")) {
    notes.push_back(other("text", then.data_fingerprint, now.data_fingerprint));
    return notes;
  }
  throw ConfigError(cat(place, " was trained on other data (fingerprint ", then.data_fingerprint,
                        ", now ", now.data_fingerprint,
                        "); restore the files of data.sources, go on with what is there now by "
                        "resume.allow=[data], or start a run on it with model.init_from=",
                        place, " and another run.name"));
}

// resume.mode = strict: what else would be a warning is an error.
void refuse_where_strict(const std::string& place, const Config& config,
                         const std::vector<std::string>& notes) {
  if (config.resume.mode != ResumeMode::kStrict || notes.empty()) return;
  throw ConfigError(cat("resume.mode = strict, but the run would not go on from ", place,
                        " to the last bit: ", join(notes, "; "),
                        ". Set it back, or use resume.mode=elastic"));
}

}  // namespace

bool takes_weights_alone(const StartPoint& start, const Config& config) {
  if (config.resume.mode != ResumeMode::kWeightsAlone || start.checkpoint.empty()) return false;
  if (!start.is_own({fs::path(config.run.dir) / config.run.name})) return true;
  const CheckpointState& state = start.manifest.state;
  const Config before =
      parse_config(state.config, (start.checkpoint / "manifest.json").string()).config;
  return before.resume.mode != ResumeMode::kWeightsAlone;
}

std::vector<std::string> check_start_point(const StartPoint& start, const Config& config,
                                           const CheckpointState& now) {
  const CheckpointState& then = start.manifest.state;
  const std::string place = start.checkpoint.string();
  const Config trained = parse_config(then.config, place + "/manifest.json").config;
  if (start.is_of_last_phase) {
    check_new_phase(trained, config, then.step);
    return check_texts(place, then, config, now, /*is_new_phase=*/true);
  }
  check_resume_compatibility(trained, config, takes_weights_alone(start, config));
  std::vector<std::string> notes = check_texts(place, then, config, now, /*is_new_phase=*/false);
  const int64_t batch = config.train.global_batch_size;
  const int64_t batch_before = trained.train.global_batch_size;
  if (batch != batch_before) {
    const int64_t ended = (start.step() + then.guard.passed_batches) * batch_before;
    const int64_t begins = (start.step() + now.guard.passed_batches) * batch;
    notes.push_back(cat("train.global_batch_size was ", batch_before, " and is ", batch,
                        ": a step's place in the text follows from its number, so the next step "
                        "reads from sample ",
                        with_commas(begins), " on; the steps before ended at sample ",
                        with_commas(ended)));
  }
  if (const auto note = rate_note(trained, config, start.step())) {
    if (note->is_warning)
      notes.push_back(note->text);
    else
      log_info(note->text);
  }
  const auto compare = [&](const std::string& what, const auto& before, const auto& after) {
    if (before == after) return;
    notes.push_back(cat(what, ": ", before, " before, ", after,
                        " now; results will differ in their last bits"));
  };
  compare("ranks", then.num_ranks, now.num_ranks);
  compare("build", then.build, now.build);
  if (config.resume.mode == ResumeMode::kStrict)
    compare("lmtrain's commit", then.commit, now.commit);
  for (size_t i = 0; i < std::min(then.ranks.size(), now.ranks.size()); ++i) {
    const auto of_rank = [&](const char* what) { return cat(what, " of rank ", i); };
    const RankCompute& before = then.ranks[i];
    const RankCompute& after = now.ranks[i];
    compare(of_rank("threads"), before.threads, after.threads);
    compare(of_rank("cores"), before.cores, after.cores);
    compare(of_rank("instruction set"), before.cpu_capability, after.cpu_capability);
    if (!before.device.empty()) compare(of_rank("device"), before.device, after.device);
  }
  refuse_where_strict(place, config, notes);
  return notes;
}

}  // namespace lmtrain
