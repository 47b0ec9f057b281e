#include "trainer/interchange/merge.h"

#include <map>

#include <ATen/ATen.h>

#include "base/build_info.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "models/model.h"
#include "parallel/logical_tensors.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/save.h"
#include "trainer/config/load_config.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

Config config_of(const fs::path& checkpoint, const Manifest& manifest) {
  try {
    return parse_config(manifest.state.config, (checkpoint / "manifest.json").string()).config;
  } catch (const ConfigError& error) {
    throw CheckpointError(cat("the config of the checkpoint cannot be read: ", error.what()));
  }
}

// Whether a merge of these makes sense.
void require_same_model(const fs::path& first, const Manifest& of_first, const fs::path& other,
                        const Manifest& of_other) {
  for (const ConfigChange& change : config_changes(values_of(config_of(first, of_first)),
                                                   values_of(config_of(other, of_other)))) {
    if (!change.key.starts_with("model.") || change.key == "model.init_from") continue;
    throw ConfigError(cat(other.string(), " is of another model than ", first.string(), ": ",
                          change.key, " is ", change.now, ", not ", change.before));
  }
  for (const auto& [path, manifest] :
       {std::pair(&first, &of_first), std::pair(&other, &of_other)}) {
    if (config_of(*path, *manifest).model.lora.is_on())
      throw ConfigError(cat(path->string(),
                            " has adapters, and a mean of these is not the mean of what they add; "
                            "merge them into the weights first (lmtrain export, lmtrain import)"));
  }
  if (of_first.state.tokenizer_hash != of_other.state.tokenizer_hash)
    throw ConfigError(cat(other.string(), " has another tokenizer than ", first.string()));
}

void require_new(const fs::path& out) {
  std::error_code error;
  if (out.empty()) throw ConfigError("--out is empty; name a new folder");
  // A run would continue from it, or remove it as one that it has not finished.
  if (fs::absolute(out / "").parent_path().parent_path().filename() == "checkpoints")
    throw ConfigError(
        cat("--out ", out.string(), " is among the checkpoints of a run; name a folder elsewhere"));
  if (!fs::exists(out, error) || (fs::is_directory(out, error) && fs::is_empty(out, error))) return;
  throw ConfigError(cat(out.string(), " is not empty; name a new folder"));
}

// By name, in fp64.
std::map<std::string, at::Tensor> mean_of(const std::vector<fs::path>& checkpoints,
                                          const std::vector<Manifest>& manifests) {
  std::map<std::string, at::Tensor> sums;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    for (const auto& [name, weights] : read_weights(checkpoints[i], manifests[i])) {
      const auto [place, is_new] = sums.try_emplace(name, weights.to(at::kDouble));
      if (!is_new) place->second.add_(weights.to(at::kDouble));
    }
  }
  for (auto& [name, sum] : sums) sum.div_(static_cast<double>(checkpoints.size()));
  return sums;
}

std::string text_of(double value) { return shortest(value); }
std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(const std::string& value) { return value; }

std::vector<std::string> state_differences(const CheckpointState& a, const CheckpointState& b) {
  std::vector<std::string> lines;
  const auto add = [&](const char* name, const auto& of_a, const auto& of_b) {
    if (of_a != of_b) lines.push_back(cat(name, ": ", text_of(of_a), " and ", text_of(of_b)));
  };
  add("step", a.step, b.step);
  add("tokens", a.tokens, b.tokens);
  add("validation loss", a.validation_loss ? text_of(*a.validation_loss) : std::string("none"),
      b.validation_loss ? text_of(*b.validation_loss) : std::string("none"));
  add("tokenizer", a.tokenizer_hash, b.tokenizer_hash);
  add("data", a.data_fingerprint, b.data_fingerprint);
  add("ranks", a.num_ranks, b.num_ranks);
  add("commit", a.commit, b.commit);
  return lines;
}

using StoredByName = std::map<std::string, const Manifest::StoredTensor*>;
StoredByName by_name(const Manifest& manifest) {
  StoredByName stored;
  for (const auto& tensor : manifest.tensors) stored[cat(tensor.group, "/", tensor.name)] = &tensor;
  return stored;
}

}  // namespace

void merge_checkpoints(const std::vector<fs::path>& checkpoints, const fs::path& out) {
  require_new(out);
  std::vector<Manifest> manifests;
  for (const fs::path& checkpoint : checkpoints) {
    manifests.push_back(read_manifest(checkpoint));
    require_same_model(checkpoints[0], manifests[0], checkpoint, manifests.back());
  }
  const Config config = config_of(checkpoints[0], manifests[0]);
  const std::unique_ptr<Communicator> alone = make_single_communicator();
  // One copy of the weights, in the type of a checkpoint, whatever the model computes in.
  ParameterStore store(master_type_of(config.train.precision), at::kCPU);
  const auto declared = make_model(config.model, manifests[0].state.num_tokens, store, *alone);
  store.allocate(0, StoreUse::kInference);
  const std::map<std::string, at::Tensor> weights = mean_of(checkpoints, manifests);
  for (const auto& unit : store.units()) {
    for (const auto& parameter : unit->parameters()) {
      const auto found = weights.find(parameter->spec().name);
      if (found == weights.end())
        throw CheckpointError(
            cat(checkpoints[0].string(), " has no weights of ", parameter->spec().name));
      set_from_logical(*parameter, kWeights, found->second.to(store.master_type()));
    }
  }
  CheckpointState state = manifests[0].state;
  state.step = 0;
  state.tokens = 0;
  state.seconds = 0;
  state.joules = 0;
  state.guard = {};
  state.optimizer_began = 0;
  state.validation_loss.reset();
  state.measured.reset();
  state.num_ranks = 1;
  state.ranks.clear();
  state.build = build_description();
  state.commit = commit();
  const std::string tokenizer = read_file(checkpoints[0] / "tokenizer.json");
  make_folders(out);
  const std::string error = save_checkpoint(out, store, *alone, state, tokenizer, *alone);
  if (!error.empty()) throw IoError(error);
}

CheckpointDifference compare_checkpoints(const fs::path& first, const fs::path& second) {
  const Manifest of_first = read_manifest(first);
  const Manifest of_second = read_manifest(second);
  CheckpointDifference difference;
  difference.config = config_changes(values_of(config_of(first, of_first)),
                                     values_of(config_of(second, of_second)));
  difference.state = state_differences(of_first.state, of_second.state);
  const StoredByName in_first = by_name(of_first);
  StoredByName in_second = by_name(of_second);
  for (const auto& [name, stored] : in_first) {
    const auto other = in_second.find(name);
    if (other == in_second.end()) {
      difference.tensors.push_back({name, {}, {}, "only in the first"});
      continue;
    }
    const at::Tensor a = read_tensor(first, of_first, *stored);
    const at::Tensor b = read_tensor(second, of_second, *other->second);
    in_second.erase(other);
    if (a.sizes() != b.sizes()) {
      difference.tensors.push_back({name, {}, {}, "of another shape"});
    } else if (a.dtype() == b.dtype() && at::equal(a, b)) {
      ++difference.num_equal;
    } else {
      const at::Tensor wide = a.to(at::kDouble);
      const at::Tensor delta = b.to(at::kDouble) - wide;
      difference.tensors.push_back({name, delta.abs().max().item<double>(),
                                    delta.norm().item<double>() / wide.norm().item<double>(), ""});
    }
  }
  for (const auto& [name, stored] : in_second)
    difference.tensors.push_back({name, {}, {}, "only in the second"});
  return difference;
}

}  // namespace lmtrain
