#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "base/choice.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/manifest_json.h"
#include "trainer/config/load_config.h"
#include "trainer/config/measures.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 4;
constexpr int kFormatWithoutChecksum = 3;
constexpr int64_t kMaxManifestBytes = int64_t{256} << 20;

// The line of a manifest before the part that its checksum covers: kBegin, 16 digits, kEnd.
constexpr std::string_view kBegin = "{\n \"manifest_xxh3\": \"";
constexpr std::string_view kEnd = "\",\n";

[[noreturn]] void refuse_listing(const fs::path& path, const std::error_code& error) {
  throw IoError(cat("cannot look into ", path.string(), ": ", error.message(),
                    "; checkpoints may be there, so nothing is begun"));
}

bool is_there(const fs::path& path) {
  std::error_code error;
  const bool found = fs::exists(path, error);
  if (error == std::errc::not_a_directory) return false;
  if (error) refuse_listing(path, error);
  return found;
}

// The step in a name of exactly the form that checkpoint_path makes.
std::optional<int64_t> step_of(const fs::path& folder) {
  constexpr std::string_view kPrefix = "step-";
  const std::string name = folder.filename();
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::optional<int64_t> step = parse_integer(std::string_view(name).substr(kPrefix.size()));
  if (!step || *step < 0 || checkpoint_path("", *step).filename() != name) return std::nullopt;
  return step;
}

// Returns the folders of steps in `checkpoints`, with `suffix` behind their names; none where it
// does not exist.
std::vector<fs::path> step_folders(const fs::path& checkpoints, std::string_view suffix = "") {
  std::vector<fs::path> folders;
  if (!is_there(checkpoints)) return folders;
  std::error_code error;
  fs::directory_iterator at(checkpoints, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    std::string name = at->path().filename();
    if (!name.ends_with(suffix)) continue;
    name.resize(name.size() - suffix.size());
    if (!step_of(name)) continue;
    const fs::file_status status = at->symlink_status(error);
    if (!error && fs::is_directory(status)) folders.push_back(at->path());
  }
  if (error) refuse_listing(checkpoints, error);
  return folders;
}

void verify_file(const fs::path& path, const Manifest::File& expected) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
  if (error) throw CheckpointError(cat(path.string(), " cannot be read: ", error.message()));
  if (bytes != expected.bytes) {
    throw CheckpointError(
        cat(path.string(), " has ", bytes, " bytes, its manifest says ", expected.bytes));
  }
  const MappedFile file(path);
  const std::string found = hex16(hash_bytes(file.data(), file.size()));
  if (found != expected.xxh3) {
    throw CheckpointError(
        cat(path.string(), " has XXH3 ", found, ", its manifest says ", expected.xxh3));
  }
}

json to_json(const RunningMoments& moments) {
  return {{"count", moments.count}, {"mean", moments.mean}, {"variance", moments.variance}};
}

json to_json(const GuardState& guard) {
  return {{"nonfinite_in_a_row", guard.nonfinite_in_a_row},
          {"num_roll_backs", guard.num_roll_backs},
          {"passed_batches", guard.passed_batches},
          {"loss", to_json(guard.loss)},
          {"log_gradient_norm", to_json(guard.log_gradient_norm)}};
}

RunningMoments moments_from(const json& from) {
  return {from.at("count"), from.at("mean"), from.at("variance")};
}

GuardState guard_from(const json& from) {
  return {from.at("nonfinite_in_a_row"), from.at("num_roll_backs"), from.at("passed_batches"),
          moments_from(from.at("loss")), moments_from(from.at("log_gradient_norm"))};
}

}  // namespace

json to_json(const Manifest& manifest) {
  const CheckpointState& s = manifest.state;
  json files = json::array();
  for (const auto& file : manifest.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"xxh3", file.xxh3}});
  }
  json tensors = json::array();
  for (const auto& tensor : manifest.tensors) {
    tensors.push_back({{"group", tensor.group},
                       {"name", tensor.name},
                       {"shape", tensor.shape},
                       {"file", tensor.file}});
  }
  json ranks = json::array();
  for (const RankCompute& rank : s.ranks) {
    ranks.push_back({{"threads", rank.threads},
                     {"cores", rank.cores},
                     {"cpu_capability", rank.cpu_capability},
                     {"device", rank.device}});
  }
  json start_token;
  if (s.start_token) start_token = *s.start_token;
  json validation_loss;
  if (s.validation_loss) validation_loss = *s.validation_loss;
  json value = {{"format", kFormat},
                {"step", s.step},
                {"config", s.config},
                {"tokenizer_hash", s.tokenizer_hash},
                {"data_fingerprint", s.data_fingerprint},
                {"num_tokens", s.num_tokens},
                {"start_token", start_token},
                {"precision", name_of(s.precision)},
                {"weights_type", s.weights_type},
                {"num_ranks", s.num_ranks},
                {"companions", s.companions},
                {"ranks", ranks},
                {"build", s.build},
                {"commit", s.commit},
                {"tokens", s.tokens},
                {"seconds", s.seconds},
                {"joules", s.joules},
                {"guard", to_json(s.guard)},
                {"optimizer_began", s.optimizer_began},
                {"validation_loss", validation_loss},
                {"files", files},
                {"tensors", tensors}};
  if (s.measured) value["measured"] = {{"measure", s.measure}, {"value", *s.measured}};
  if (s.schedule_step && *s.schedule_step != static_cast<double>(s.step))
    value["schedule_step"] = *s.schedule_step;
  return value;
}

Precision precision_named(const std::string& name) {
  const auto precision = choice_of<Precision>(name);
  if (precision && *precision != Precision::kAuto) return *precision;
  throw CheckpointError(cat("names a precision that this version does not know: '", name, "'"));
}

// Numbers that nlohmann would cut to whole ones.
void require_whole(const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (object.contains(key) && object[key].is_number() && !object[key].is_number_integer())
      throw CheckpointError(cat("is damaged: ", key, " is not a whole number"));
  }
}

constexpr int64_t kLeastElementBytes = 4;  // of fp32

// That numbers are possible and that tensors lie in files of the checkpoint.
void check_values(const Manifest& manifest) {
  const CheckpointState& s = manifest.state;
  const auto require = [](bool holds, const auto& problem) {
    if (!holds) throw CheckpointError(cat("holds ", problem));
  };
  require(s.step >= 0, cat("step ", s.step));
  constexpr int64_t kMostTokens = int64_t{1} << 24;  // as model.vocab_size
  require(!s.schedule_step || (*s.schedule_step >= 0 && *s.schedule_step <= kMostSteps),
          "a place in the schedule of the learning rate that cannot be");
  require(s.num_tokens > 0 && s.num_tokens <= kMostTokens,
          cat("a vocabulary of ", s.num_tokens, " tokens"));
  const int64_t start = s.start_token.value_or(-1);
  require(start >= -1 && start < s.num_tokens,
          cat("the start token ", start, ", which is not of its vocabulary"));
  require(!manifest.tensors.empty(), "no tensors");
  require(s.optimizer_began <= s.step, cat("an optimizer that began at step ", s.optimizer_began));
  const GuardState& guard = s.guard;
  const auto counts = {guard.nonfinite_in_a_row, guard.num_roll_backs, guard.passed_batches,
                       guard.loss.count, guard.log_gradient_norm.count};
  require(std::min(counts) >= 0 && std::max(counts) <= kMostSteps,
          "counts of steps, roll-backs or passed batches that cannot be");
  require(guard.loss.variance >= 0 && guard.log_gradient_norm.variance >= 0,
          "a variance of the loss below 0");
  require(s.tokens >= 0 && s.seconds >= 0 && s.joules >= 0, "totals below 0");
  std::map<std::string, int64_t> files;
  for (const auto& file : manifest.files) {
    require(!file.name.empty() && file.name.find('/') == std::string::npos && file.name[0] != '.',
            cat("a file outside its folder: '", file.name, "'"));
    require(file.bytes >= 0, cat(file.bytes, " bytes of ", file.name));
    require(files.emplace(file.name, file.bytes).second, cat("the file ", file.name, " twice"));
  }
  for (const auto& tensor : manifest.tensors) {
    const std::string name = cat(tensor.group, "/", tensor.name);
    require(files.contains(tensor.file),
            cat(name, " in a file that it does not list: '", tensor.file, "'"));
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) {
      require(size >= 0 && !__builtin_mul_overflow(elements, size, &elements),
              cat("an impossible shape of ", name));
    }
    // Before anything is allocated for it.
    require(elements <= files[tensor.file] / kLeastElementBytes,
            cat(name, ", which is larger than its file"));
  }
}

Manifest manifest_from_json(const json& from) {
  const json& format = from.at("format");
  if (format != kFormat && format != kFormatWithoutChecksum)
    throw CheckpointError("has another format than this version reads");
  Manifest manifest;
  CheckpointState& s = manifest.state;
  require_whole(from, {"step", "num_tokens", "start_token", "num_ranks", "tokens",
                       "optimizer_began", "num_threads"});
  from.at("step").get_to(s.step);
  from.at("config").get_to(s.config);
  from.at("tokenizer_hash").get_to(s.tokenizer_hash);
  from.at("data_fingerprint").get_to(s.data_fingerprint);
  from.at("num_tokens").get_to(s.num_tokens);
  if (const json token = from.value("start_token", json()); !token.is_null())
    s.start_token = token.get<int32_t>();
  s.precision = precision_named(from.at("precision").get<std::string>());
  from.at("weights_type").get_to(s.weights_type);
  from.at("num_ranks").get_to(s.num_ranks);
  if (from.contains("companions")) {
    from["companions"].get_to(s.companions);
    check_companions(s.companions);
  }
  if (from.contains("ranks")) {
    for (const json& rank : from["ranks"]) require_whole(rank, {"threads", "cores"});
    for (const json& rank : from["ranks"])
      s.ranks.push_back({rank.at("threads"), rank.at("cores"), rank.at("cpu_capability"),
                         rank.value("device", "")});
  } else {  // of an earlier version
    const int64_t threads = from.at("num_threads");
    s.ranks.push_back({threads, threads, from.at("cpu_capability"), ""});
  }
  from.at("build").get_to(s.build);
  from.at("commit").get_to(s.commit);
  from.at("tokens").get_to(s.tokens);
  from.at("seconds").get_to(s.seconds);
  from.at("joules").get_to(s.joules);
  if (from.contains("schedule_step")) s.schedule_step = from["schedule_step"].get<double>();
  if (from.contains("guard")) s.guard = guard_from(from["guard"]);
  s.optimizer_began = from.value("optimizer_began", int64_t{0});
  if (const json loss = from.value("validation_loss", json()); !loss.is_null())
    s.validation_loss = loss.get<double>();
  if (from.contains("measured")) {
    from["measured"].at("measure").get_to(s.measure);
    s.measured = from["measured"].at("value").get<double>();
  }
  for (const json& file : from.at("files")) {
    require_whole(file, {"bytes"});
    manifest.files.push_back({file.at("name"), file.at("bytes"), file.at("xxh3")});
  }
  for (const json& tensor : from.at("tensors")) {
    for (const json& size : tensor.at("shape")) {
      if (!size.is_number_integer()) throw CheckpointError("is damaged: a shape is not whole");
    }
    manifest.tensors.push_back(
        {tensor.at("group"), tensor.at("name"), tensor.at("shape"), tensor.at("file")});
  }
  return manifest;
}

int32_t start_token_of(const CheckpointState& state, const Tokenizer& tokenizer) {
  if (state.start_token) return *state.start_token;
  return tokenizer.begin_of_text() >= 0 ? tokenizer.begin_of_text() : tokenizer.end_of_text();
}

std::vector<int32_t> end_tokens_of(const CheckpointState& state, const Tokenizer& tokenizer) {
  std::vector<int32_t> ends = end_tokens_of(state.companions, tokenizer.vocab_size());
  const int32_t of_tokenizer = tokenizer.end_of_text();
  const bool is_needed = ends.empty() || state.step > 0;
  if (is_needed && of_tokenizer >= 0 && std::ranges::find(ends, of_tokenizer) == ends.end())
    ends.push_back(of_tokenizer);
  return ends;
}

std::string manifest_text(const Manifest& manifest) {
  const std::string covered = to_json(manifest).dump(1).substr(2);  // behind "{" and a line break
  return cat(kBegin, hex16(hash_text(covered)), kEnd, covered);
}

Manifest parse_manifest(std::string_view text) {
  const size_t covered_at = kBegin.size() + 16 + kEnd.size();
  const bool has_checksum = text.size() >= covered_at && text.starts_with(kBegin) &&
                            text.substr(kBegin.size() + 16, kEnd.size()) == kEnd;
  if (has_checksum) {
    const std::string_view expected = text.substr(kBegin.size(), 16);
    const std::string found = hex16(hash_text(text.substr(covered_at)));
    if (found != expected)
      throw CheckpointError(cat("is damaged: it has XXH3 ", found, ", and says ", expected));
  }
  const json value = json::parse(text);
  if (!has_checksum && value.at("format") != kFormatWithoutChecksum)
    throw CheckpointError(
        "is damaged: it lacks its checksum, or has another format than this version reads");
  Manifest manifest = manifest_from_json(value);
  check_values(manifest);
  return manifest;
}

Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / "manifest.json";
  try {
    std::error_code ignored;
    if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored))
      throw CheckpointError("is not a file");
    return parse_manifest(read_file(path, kMaxManifestBytes));
  } catch (const json::exception&) {
    throw CheckpointError(cat(path.string(),
                              " is damaged: it is not JSON, or a value is missing or of another "
                              "type"));
  } catch (const Error& error) {
    throw CheckpointError(cat(path.string(), ": ", error.what()));
  }
}

void verify_files(const fs::path& checkpoint, const Manifest& manifest) {
  // Several threads, since the checksum of a large model takes longer than all else of loading it.
  constexpr size_t kMostThreads = 4;
  const size_t num_files = manifest.files.size();
  std::vector<std::exception_ptr> errors(num_files);
  std::atomic<size_t> next{0};
  const auto verify_some = [&] {
    for (size_t i = next++; i < num_files; i = next++) {
      try {
        verify_file(checkpoint / manifest.files[i].name, manifest.files[i]);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(kMostThreads, num_files); ++i) threads.emplace_back(verify_some);
  verify_some();
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);  // that of the first file
  }
}

std::vector<fs::path> list_checkpoints(const fs::path& checkpoints) {
  std::vector<fs::path> found;
  for (const fs::path& folder : step_folders(checkpoints)) {
    if (is_there(folder / "manifest.json")) found.push_back(folder);
  }
  std::ranges::sort(found, std::greater(), [](const fs::path& path) { return *step_of(path); });
  return found;
}

namespace {

void remove_checkpoint(const fs::path& checkpoint) {
  std::error_code ignored;
  fs::remove(checkpoint / "manifest.json", ignored);  // from here on it is no checkpoint
  fs::remove_all(checkpoint, ignored);
}

}  // namespace

Manifest verify_checkpoint(const fs::path& checkpoint, CheckpointCheck check) {
  Manifest manifest = read_manifest(checkpoint);
  if (manifest.state.step != step_of(checkpoint).value_or(manifest.state.step)) {
    throw CheckpointError(cat(checkpoint.string(), " is named for another step than the ",
                              manifest.state.step, " of its manifest"));
  }
  try {
    parse_config(manifest.state.config, (checkpoint / "manifest.json").string());
  } catch (const ConfigError& error) {
    throw CheckpointError(cat("the config of the checkpoint cannot be read: ", error.what()));
  }
  verify_files(checkpoint, manifest);
  if (check == CheckpointCheck::kFilesAndValues) verify_values(checkpoint, manifest);
  return manifest;
}

namespace {

bool verifies(const fs::path& checkpoint, CheckpointCheck check) {
  try {
    verify_checkpoint(checkpoint, check);
    return true;
  } catch (const Error& error) {
    log_warn(cat("passing over a checkpoint: ", error.what()));
    return false;
  }
}

}  // namespace

fs::path roll_back_to_interval(const fs::path& checkpoints, int64_t interval) {
  std::vector<fs::path> between;
  for (const fs::path& checkpoint : list_checkpoints(checkpoints)) {
    if (*step_of(checkpoint) % interval != 0) {
      between.push_back(checkpoint);
    } else if (verifies(checkpoint, CheckpointCheck::kFilesAndValues)) {
      for (const fs::path& newer : between) remove_checkpoint(newer);
      return checkpoint;
    }
  }
  return {};
}

fs::path newest_checkpoint(const fs::path& checkpoints, CheckpointCheck check) {
  const std::vector<fs::path> found = list_checkpoints(checkpoints);
  for (const fs::path& checkpoint : found) {
    if (verifies(checkpoint, check)) return checkpoint;
  }
  if (found.empty()) return {};
  throw CheckpointError(cat(
      "none of the ", found.size(), " checkpoints in ", checkpoints.string(),
      " can be used (the warnings say why); restore one, or start anew under another run.name"));
}

namespace {

// What stands beside the folder of a step that is not there.
std::string list_of_others(const fs::path& path) {
  constexpr size_t kMost = 10;
  if (!step_of(path)) return "";
  std::vector<std::string> names;
  for (const fs::path& other : list_checkpoints(path.parent_path()))
    names.push_back(other.filename());
  if (names.empty()) return "";
  const size_t all = names.size();
  names.resize(std::min(all, kMost));
  return cat("; ", path.parent_path().string(), " has ", join(names, ", "),
             all > kMost ? cat(" and ", all - kMost, " more") : "");
}

}  // namespace

fs::path resolve_checkpoint(const fs::path& path, CheckpointCheck check) {
  if (is_there(path / "manifest.json")) {
    verify_checkpoint(path, check);
    return path;
  }
  for (const fs::path& folder : {path / "checkpoints", path}) {
    fs::path newest = newest_checkpoint(folder, check);
    if (!newest.empty()) return newest;
  }
  if (is_there(path / "config.json")) {
    throw CheckpointError(cat(path.string(),
                              " is a folder of transformers, and no checkpoint; make "
                              "one of it with lmtrain import ",
                              path.string(), " FOLDER"));
  }
  const std::string others = list_of_others(path);
  throw CheckpointError(cat(
      "there is no checkpoint at ", path.string(),
      others.empty() ? " (name a checkpoint's folder, or a run's folder for its newest)" : others,
      hint_on_downloads(path)));
}

void remove_unfinished_checkpoints(const fs::path& checkpoints) {
  std::error_code ignored;
  for (const fs::path& folder : step_folders(checkpoints)) {
    if (!is_there(folder / "manifest.json")) fs::remove_all(folder, ignored);
  }
  for (const fs::path& folder : step_folders(checkpoints, kNewSuffix))
    fs::remove_all(folder, ignored);
}

std::optional<double> validation_of(const CheckpointState& state, const std::string& measure) {
  if (measure == "loss") return state.validation_loss;
  return measure == state.measure ? state.measured : std::nullopt;
}

namespace {

// Nothing where its step was not validated, or its manifest cannot be read.
std::optional<double> validation_of(const fs::path& checkpoint, const Retention& retention,
                                    KnownCheckpoints& known) {
  const auto found = known.validations.find(checkpoint);
  if (found != known.validations.end()) return found->second;
  std::optional<double> value;
  try {
    value = validation_of(read_manifest(checkpoint).state, retention.measure);
  } catch (const Error&) {  // damaged: not one of the best
  }
  known.validations[checkpoint] = value;
  return value;
}

std::set<fs::path> best_of(const std::vector<fs::path>& newest_first, const Retention& retention,
                           KnownCheckpoints& known) {
  std::vector<std::pair<double, fs::path>> values;
  if (retention.best == 0) return {};
  const bool lower_is_better = is_lower_better(retention.measure);
  for (const fs::path& checkpoint : newest_first) {
    if (const auto value = validation_of(checkpoint, retention, known))
      values.emplace_back(lower_is_better ? *value : -*value, checkpoint);
  }
  std::ranges::stable_sort(values, {}, &std::pair<double, fs::path>::first);
  std::set<fs::path> best;
  for (const auto& [value, checkpoint] : values)
    if (std::cmp_less(best.size(), retention.best)) best.insert(checkpoint);
  return best;
}

}  // namespace

void remove_old_checkpoints(const fs::path& checkpoints, const Retention& retention,
                            KnownCheckpoints& known) {
  const std::vector<fs::path> newest_first = list_checkpoints(checkpoints);
  const std::set<fs::path> best = best_of(newest_first, retention, known);
  int64_t num_good = 0;
  for (const fs::path& checkpoint : newest_first) {
    if (num_good == retention.newest) {
      const bool stays = best.contains(checkpoint) ||
                         (retention.every > 0 && *step_of(checkpoint) % retention.every == 0);
      if (stays) continue;
      remove_checkpoint(checkpoint);
    } else if (known.verified.contains(checkpoint) ||
               verifies(checkpoint, CheckpointCheck::kFilesAndValues)) {
      known.verified.insert(checkpoint);
      ++num_good;
    }
  }
}

}  // namespace lmtrain
