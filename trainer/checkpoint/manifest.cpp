#include <algorithm>

#include "base/choice.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/manifest_json.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kFormat = 3;
constexpr int64_t kMaxManifestBytes = int64_t{256} << 20;

// Any other file or folder beside the checkpoints belongs to the user and is never removed.
bool is_step_folder(const fs::directory_entry& entry) {
  return entry.is_directory() && entry.path().filename().string().starts_with("step-");
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
  json start_token;
  if (s.start_token) start_token = *s.start_token;
  return {{"format", kFormat},
          {"step", s.step},
          {"config", s.config},
          {"tokenizer_hash", s.tokenizer_hash},
          {"data_fingerprint", s.data_fingerprint},
          {"num_tokens", s.num_tokens},
          {"start_token", start_token},
          {"precision", name_of(s.precision)},
          {"weights_type", s.weights_type},
          {"num_ranks", s.num_ranks},
          {"num_threads", s.num_threads},
          {"build", s.build},
          {"cpu_capability", s.cpu_capability},
          {"commit", s.commit},
          {"tokens", s.tokens},
          {"seconds", s.seconds},
          {"joules", s.joules},
          {"files", files},
          {"tensors", tensors}};
}

Precision precision_named(const std::string& name) {
  if (const auto precision = choice_of<Precision>(name)) return *precision;
  throw CheckpointError(cat("names a precision that this version does not know: '", name, "'"));
}

Manifest manifest_from_json(const json& from) {
  if (from.at("format") != kFormat)
    throw CheckpointError("has another format than this version reads");
  Manifest manifest;
  CheckpointState& s = manifest.state;
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
  from.at("num_threads").get_to(s.num_threads);
  from.at("build").get_to(s.build);
  from.at("cpu_capability").get_to(s.cpu_capability);
  from.at("commit").get_to(s.commit);
  from.at("tokens").get_to(s.tokens);
  from.at("seconds").get_to(s.seconds);
  from.at("joules").get_to(s.joules);
  for (const json& file : from.at("files")) {
    manifest.files.push_back({file.at("name"), file.at("bytes"), file.at("xxh3")});
  }
  for (const json& tensor : from.at("tensors")) {
    manifest.tensors.push_back(
        {tensor.at("group"), tensor.at("name"), tensor.at("shape"), tensor.at("file")});
  }
  for (const auto& file : manifest.files) {
    if (file.name.empty() || file.name.find('/') != std::string::npos || file.name[0] == '.') {
      throw CheckpointError(cat("names a file outside its folder: '", file.name, "'"));
    }
  }
  return manifest;
}

int32_t start_token_of(const CheckpointState& state, const Tokenizer& tokenizer) {
  if (state.start_token) return *state.start_token;
  return tokenizer.begin_of_text() >= 0 ? tokenizer.begin_of_text() : tokenizer.end_of_text();
}

Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / "manifest.json";
  try {
    return manifest_from_json(json::parse(read_file(path, kMaxManifestBytes)));
  } catch (const json::exception& error) {
    throw CheckpointError(cat(path.string(), " is damaged: ", error.what()));
  } catch (const Error& error) {
    throw CheckpointError(cat(path.string(), ": ", error.what()));
  }
}

void verify_files(const fs::path& checkpoint, const Manifest& manifest) {
  for (const auto& expected : manifest.files) {
    const fs::path path = checkpoint / expected.name;
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
}

std::vector<fs::path> list_checkpoints(const fs::path& checkpoints) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints, error)) {
    if (is_step_folder(entry) && fs::exists(entry.path() / "manifest.json"))
      found.push_back(entry.path());
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

namespace {

bool verifies(const fs::path& checkpoint) {
  try {
    verify_files(checkpoint, read_manifest(checkpoint));
    return true;
  } catch (const Error& error) {
    log_warn(cat("passing over a checkpoint: ", error.what()));
    return false;
  }
}

}  // namespace

fs::path newest_checkpoint(const fs::path& checkpoints) {
  const std::vector<fs::path> found = list_checkpoints(checkpoints);
  for (const fs::path& checkpoint : found) {
    if (verifies(checkpoint)) return checkpoint;
  }
  if (found.empty()) return {};
  throw CheckpointError(cat(
      "none of the ", found.size(), " checkpoints in ", checkpoints.string(),
      " can be used (the warnings say why); restore one, or start anew under another run.name"));
}

fs::path resolve_checkpoint(const fs::path& path) {
  if (fs::exists(path / "manifest.json")) {
    verify_files(path, read_manifest(path));
    return path;
  }
  for (const fs::path& folder : {path / "checkpoints", path}) {
    fs::path newest = newest_checkpoint(folder);
    if (!newest.empty()) return newest;
  }
  throw CheckpointError(cat("there is no checkpoint at ", path.string(),
                            " (name a checkpoint's folder, or a run's folder for its newest)"));
}

void remove_unfinished_checkpoints(const fs::path& checkpoints) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(checkpoints, ignored)) {
    if (is_step_folder(entry) && !fs::exists(entry.path() / "manifest.json"))
      fs::remove_all(entry.path(), ignored);
  }
}

void remove_old_checkpoints(const fs::path& checkpoints, int64_t keep,
                            std::set<fs::path>& verified) {
  int64_t num_good = 0;
  for (const fs::path& checkpoint : list_checkpoints(checkpoints)) {
    if (num_good == keep) {
      std::error_code ignored;
      fs::remove(checkpoint / "manifest.json", ignored);  // from here on it is no checkpoint
      fs::remove_all(checkpoint, ignored);
    } else if (verified.contains(checkpoint) || verifies(checkpoint)) {
      verified.insert(checkpoint);
      ++num_good;
    }
  }
}

}  // namespace lmtrain
