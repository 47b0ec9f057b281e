#include "trainer/interchange/interchange.h"

#include <algorithm>
#include <map>
#include <set>

#include <ATen/ATen.h>

#include "base/build_info.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"
#include "models/huggingface/safetensors.h"
#include "models/huggingface/tensor_map.h"
#include "models/lora.h"
#include "models/model.h"
#include "models/model_sizes.h"
#include "parallel/logical_tensors.h"
#include "parallel/precision.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/save.h"
#include "trainer/config/resolve_task.h"
#include "trainer/interchange/adapter.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTokenizerFile = "tokenizer.json";

struct ExportType {
  const char* torch_name;  // in config.json and on the command line
  at::ScalarType type;
};
constexpr ExportType kExportTypes[] = {{"float32", at::kFloat},
                                       {"bfloat16", at::kBFloat16},
                                       {"float16", at::kHalf},
                                       {"float64", at::kDouble}};

const ExportType& export_type(const std::string& name, const std::string& weights_type) {
  std::vector<std::string> known;
  for (const ExportType& type : kExportTypes) {
    if (name.empty() ? safetensors_type_name(type.type) == weights_type : name == type.torch_name)
      return type;
    known.emplace_back(type.torch_name);
  }
  throw ConfigError(cat("--type ", name, " is not one of ", join(known, ", ")));
}

void require_empty(const fs::path& folder) {
  if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder))) {
    throw ConfigError(cat(folder.string(), " holds something already; name a new folder"));
  }
  const std::string reason = why_not_writable(folder);
  if (!reason.empty()) throw ConfigError(cat(folder.string(), ": ", reason));
}

constexpr const char* kHead = "head.weight";

// Whether the files are those of a decoder alone, such as LlamaModel, whose language head is a
// table of its own.
bool lack_language_head(const SafetensorsFolder& files, const TensorMap& map) {
  return std::ranges::any_of(map.parts, [&](const TensorPart& part) {
    return part.parameter == kHead && !files.contains(part.name);
  });
}

// Visits the weights of a folder of transformers as lmtrain's logical tensors, without the language
// head where the files have none. `place` names the folder in messages.
void visit_weights(const SafetensorsFolder& files, const ModelConfig& config, int64_t num_tokens,
                   const std::string& place, const TensorVisitor& visit) {
  TensorMap map = tensor_map_of(config, num_tokens);
  NamedShapes shapes = logical_shapes(*declared_parameters(config, num_tokens));
  if (lack_language_head(files, map)) {
    std::erase_if(map.parts, [](const TensorPart& part) { return part.parameter == kHead; });
    shapes.erase(kHead);
  }
  visit_huggingface(files, map, shapes, place, visit);
}

// Visits the pooler that `model` reads and that the files have beside a head that does not read it;
// `config` is that of the files.
void visit_pooler(const SafetensorsFolder& files, const ModelConfig& config,
                  const ModelConfig& model, int64_t num_tokens, const TensorVisitor& visit) {
  if (config.traits().has_pooler) return;
  std::vector<TensorPart> parts;
  for (const TensorPart& part : tensor_map_of(model, num_tokens).parts) {
    if (part.parameter.starts_with("pooler.") && files.contains(part.name)) parts.push_back(part);
  }
  if (parts.empty()) return;
  const NamedShapes shapes = logical_shapes(*declared_parameters(model, num_tokens));
  NamedTensors tensors;
  for (const auto& [name, shape] : huggingface_shapes(parts, shapes)) {
    if (files.entry(name).shape != shape) return;
    tensors[name] = files.read(name);
  }
  for (const auto& [name, tensor] : from_huggingface(parts, tensors, shapes)) visit(name, tensor);
}

// Whether a parameter belongs to a head, which may keep its initial values on an imported encoder.
bool is_of_encoder_head(const std::string& parameter) {
  return parameter.starts_with("head.") || parameter.starts_with("pooler.") ||
         parameter.starts_with("sentence.") || parameter.starts_with("labels.");
}

// Whether a run may begin with this parameter anew where its initial model lacks it.
bool is_of_head(const ModelConfig& model, const std::string& parameter) {
  if (parameter.starts_with("labels.") || is_of_adapter(parameter)) return true;
  return model.traits().predicts_next_token() ? parameter == kHead : is_of_encoder_head(parameter);
}

// Fills the weights of a store from logical tensors that come one after the other; of two of one
// parameter the last counts, and what the model does not have is passed over.
class Filling {
 public:
  explicit Filling(const ParameterStore& store) : store_(store) {
    for (const Parameter* parameter : store.parameters())
      parameters_[parameter->spec().name] = parameter;
  }

  void take(const std::string& name, const at::Tensor& logical) {
    const auto found = parameters_.find(name);
    if (found == parameters_.end()) return;
    if (logical.sizes() != at::IntArrayRef(found->second->spec().logical_shape)) refuse(name);
    if (!at::isfinite(logical).all().item<bool>()) {
      throw DataError(
          cat("the initial weights hold numbers in ", name,
              " that are not finite (NaN or infinity); a model of them computes nothing"));
    }
    set_from_logical(*found->second, kWeights, logical);
    taken_.insert(name);
  }

  // Returns the parameters that keep their initial values: those for which may_lack(name).
  template <class MayLack>
  std::vector<std::string> finish(const MayLack& may_lack) const {
    std::vector<std::string> lacking;
    for (const Parameter* parameter : store_.parameters()) {
      const std::string& name = parameter->spec().name;
      if (taken_.contains(name)) continue;
      if (!may_lack(name)) refuse(name);
      lacking.push_back(name);
    }
    return lacking;
  }

 private:
  [[noreturn]] static void refuse(const std::string& name) {
    throw CheckpointError(
        cat("the initial weights have no tensor ", name, " of the model's shape"));
  }

  const ParameterStore& store_;
  std::map<std::string, const Parameter*> parameters_;
  std::set<std::string> taken_;
};

// Returns the type of a folder's tensors, the widest one when they differ.
at::ScalarType common_type(const SafetensorsFolder& files) {
  std::set<at::ScalarType> types;
  for (const std::string& name : files.names()) {
    const at::ScalarType type = files.entry(name).type;
    if (at::isFloatingType(type)) types.insert(type);
  }
  if (types.size() == 1) return *types.begin();
  return types.contains(at::kDouble) ? at::kDouble : at::kFloat;
}

// Loads the tokenizer of a folder of transformers, whose entries must fit the model.
Tokenizer tokenizer_of_folder(const fs::path& folder, int64_t num_tokens) {
  if (!has_tokenizer(folder)) {
    throw DataError(cat(folder.string(), ": there is no ", kTokenizerFile,
                        "; transformers writes one with AutoTokenizer.save_pretrained"));
  }
  Tokenizer tokenizer = Tokenizer::load(folder);
  if (tokenizer.vocab_size() > num_tokens) {
    throw DataError(cat(folder.string(), ": the tokenizer has ", tokenizer.vocab_size(),
                        " entries, config.json's vocab_size is ", num_tokens));
  }
  return tokenizer;
}

bool is_huggingface_folder(const fs::path& folder) { return fs::exists(folder / "config.json"); }

InitialModel read_initial_model(const std::string& path) {
  if (is_huggingface_folder(path)) {
    const HuggingfaceModel model = read_huggingface_model(path);
    return {model.config, model.num_tokens, path, std::nullopt, read_companions(path)};
  }
  const fs::path checkpoint = resolve_checkpoint(path);
  const Manifest manifest = read_manifest(checkpoint);
  const std::string place = (checkpoint / "manifest.json").string();
  return {parse_config(manifest.state.config, place).config.model, manifest.state.num_tokens,
          checkpoint, manifest, manifest.state.companions};
}

// The tokenizer that puts `token` in front of every text, as the model's training data had it, so
// that transformers does the same with the exported folder.
Tokenizer beginning_with(int32_t token, const Tokenizer& tokenizer) {
  if (token < 0 || token == tokenizer.begin_of_text()) return tokenizer;
  const std::string name(tokenizer.token_text(token));
  const auto text = [](const char* id) { return json{{"Sequence", {{"id", id}, {"type_id", 0}}}}; };
  const json start = {{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
  json file = json::parse(tokenizer.to_json());
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {start, text("A")}},
      {"pair", {start, text("A"), text("B")}},
      {"special_tokens", {{name, {{"id", name}, {"ids", {token}}, {"tokens", {name}}}}}}};
  return Tokenizer::parse(file.dump(), kTokenizerFile);
}

// Throws DataError for a value that a config could not hold, so that no checkpoint is made that
// cannot be read.
void check_limits(const ModelConfig& model, const std::string& place) {
  Config config;
  config.model = model;
  try {
    parse_config(print_config(config, ConfigText::kValues), place);
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    const size_t key = text.find("model.");
    throw DataError(cat(place, ": as lmtrain's settings, ",
                        key == std::string::npos ? text : text.substr(key)));
  }
}

// Keys of the model that training may choose, whatever the weights were made with.
bool is_free(const std::string& key) {
  return key == "model.init_from" || key == "model.head" || key == "model.labels" ||
         key == "model.vocab_size" || key == "model.dropout" || key == "model.init_std";
}

}  // namespace

HuggingfaceModel read_huggingface_model(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!fs::exists(path)) {
    throw DataError(cat(folder.string(),
                        fs::is_directory(folder) ? " has no config.json" : " is no folder",
                        hint_on_downloads(folder)));
  }
  const json value = load_config_json(path);
  HuggingfaceModel model = model_from_json(value, path.string());
  complete_by_files(model, SafetensorsFolder(folder));
  check_limits(model.config, path.string());
  if (const auto problem = find_problem(model.config))
    throw DataError(cat(path.string(), ": ", problem->text));
  return model;
}

void import_model(const fs::path& folder, const fs::path& adapter, const fs::path& out) {
  const HuggingfaceModel model = read_huggingface_model(folder);
  const Tokenizer tokenizer = tokenizer_of_folder(folder, model.num_tokens);
  require_empty(out);
  const SafetensorsFolder files(folder);
  const at::ScalarType type = common_type(files);
  Config config;
  config.model = model.config;
  if (!adapter.empty()) config.model.lora = read_adapter_config(adapter, config.model);
  config.tokenizer.path = folder.string();
  config.train.precision = type == at::kDouble ? Precision::kFp64 : Precision::kFp32;

  const std::unique_ptr<Communicator> alone = make_single_communicator();
  ParameterStore store(compute_type_of(config.train.precision), at::kCPU);
  const auto declared = make_model(config.model, model.num_tokens, store, *alone);
  store.allocate(0, StoreUse::kInference);
  const TensorMap map = tensor_map_of(config.model, model.num_tokens);
  if (lack_language_head(files, map)) {
    throw DataError(
        cat(folder.string(), " holds a model without its language head (",
            "lm_head.weight), which can predict nothing; begin a run with it, whose head "
            "is new: model.init_from=",
            folder.string()));
  }
  Filling filling(store);
  const auto take = [&](const std::string& name, const at::Tensor& logical) {
    filling.take(name, logical);
  };
  visit_weights(files, model.config, model.num_tokens, folder.string(), take);
  if (!adapter.empty()) {
    for (const auto& [name, tensor] : read_adapter(adapter, config.model, model.num_tokens))
      take(name, tensor);
  }
  filling.finish([](const std::string&) { return false; });

  CheckpointState state;
  state.config = print_config(config, ConfigText::kValues);
  state.tokenizer_hash = hex16(tokenizer.hash());
  state.num_tokens = model.num_tokens;
  state.start_token = tokenizer.begin_of_text();
  state.companions = read_companions(folder);
  end_tokens_of(state, tokenizer);  // that these are ids
  sampling_defaults_of(state.companions);
  state.precision = config.train.precision;
  state.weights_type = safetensors_type_name(type);
  state.build = build_description();
  state.commit = commit();
  make_folders(out);
  const std::string error = save_checkpoint(out, store, *alone, state, tokenizer.to_json(), *alone);
  if (!error.empty()) throw IoError(error);
}

void export_model(const std::string& path, const fs::path& out, const ExportOptions& options) {
  const fs::path checkpoint = resolve_checkpoint(path);
  const Manifest manifest = read_manifest(checkpoint);
  const std::string place = (checkpoint / "manifest.json").string();
  const ModelConfig model = parse_config(manifest.state.config, place).config.model;
  const Tokenizer tokenizer = Tokenizer::load(checkpoint / kTokenizerFile);
  const ExportType& type = export_type(options.type, manifest.state.weights_type);
  require_empty(out);

  NamedTensors weights = read_weights(checkpoint, manifest);
  if (options.adapter) {
    if (!model.lora.is_on())
      throw ConfigError(cat(checkpoint.string(), " has no adapters; leave --adapter out"));
    make_folders(out);
    return write_adapter(out, model, manifest.state.num_tokens, model.init_from, weights,
                         type.type);
  }
  if (model.lora.is_on()) merge_adapters(model, weights);
  NamedTensors tensors =
      to_huggingface(tensor_map_of(model, manifest.state.num_tokens).parts, weights);
  for (auto& [name, tensor] : tensors) {
    const bool was_finite = at::isfinite(tensor).all().item<bool>();
    tensor = tensor.to(type.type);
    if (was_finite && !at::isfinite(tensor).all().item<bool>()) {
      throw DataError(cat("weights of ", name, " are beyond what ", type.torch_name,
                          " holds; export another --type"));
    }
  }
  make_folders(out);
  write_safetensors_folder(out, tensors, options.max_file_bytes);
  const int64_t end = tokenizer.end_of_text();
  const int32_t start = start_token_of(manifest.state, tokenizer);
  const int64_t begin = start >= 0 ? start : end;
  beginning_with(start, tokenizer).save(out / kTokenizerFile);
  json tokenizer_config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                           {"model_max_length", model.max_positions},
                           {"clean_up_tokenization_spaces", false}};
  json generation = json::object();
  const auto name = [&](const char* key, int32_t id) {
    if (id >= 0) tokenizer_config[key] = tokenizer.token_text(id);
  };
  const bool is_encoder = !model.traits().predicts_next_token();
  if (is_encoder) {
    name("cls_token", tokenizer.class_token());
    name("sep_token", tokenizer.separator_token());
    name("pad_token", tokenizer.pad_token());
    name("mask_token", tokenizer.mask_token());
    // transformers' tokenizers return segments only if model_input_names lists them.
    tokenizer_config["model_input_names"] = {"input_ids", "attention_mask"};
    if (model.traits().num_segments > 1)
      tokenizer_config["model_input_names"] = {"input_ids", "token_type_ids", "attention_mask"};
  } else if (end >= 0) {
    name("bos_token", static_cast<int32_t>(begin));
    name("eos_token", static_cast<int32_t>(end));
    generation = {{"bos_token_id", begin}, {"eos_token_id", end}};
  }
  write_file_durably(out / "tokenizer_config.json", tokenizer_config.dump(2) + "\n");
  if (!is_encoder) write_file_durably(out / "generation_config.json", generation.dump(2) + "\n");
  write_companions(manifest.state.companions, out);  // in place of those, where there are some
  json config = model_to_json(model, manifest.state.num_tokens, {begin, end, tokenizer.pad_token()},
                              type.torch_name);
  keep_token_ids(manifest.state.companions, config);
  // It is written last, because it makes the folder a model.
  write_file_durably(out / "config.json", config.dump(2) + "\n");
}

namespace {

// The section `lora`, completed from lora.init_from.
LoraConfig adopted_adapters(const LoadedConfig& loaded, const ModelConfig& model) {
  const LoraConfig& wanted = loaded.config.model.lora;
  if (wanted.init_from.empty()) return wanted;
  const std::string place = loaded.positions.at("lora.init_from");
  LoraConfig found;
  try {
    found = read_adapter_config(wanted.init_from, model);
  } catch (const Error& error) {
    throw Error(error.code(), cat(place, ": lora.init_from: ", error.what()));
  }
  found.init_from = wanted.init_from;
  Config mine;
  Config theirs;
  mine.model.lora = wanted;
  theirs.model.lora = found;
  for (const ConfigChange& change : config_changes(values_of(theirs), values_of(mine))) {
    if (!loaded.positions.is_set(change.key)) continue;
    throw ConfigError(cat(loaded.positions.at(change.key), ": ", change.key, " = ", change.now,
                          ", but ", wanted.init_from, " has ", change.before, "; leave it out"));
  }
  return found;
}

}  // namespace

std::optional<InitialModel> adopt_initial_model(LoadedConfig& loaded) {
  resolve_task(loaded);
  Config& config = loaded.config;
  if (config.model.init_from.empty()) return std::nullopt;
  const std::string place = loaded.positions.at("model.init_from");
  InitialModel initial;
  try {
    initial = read_initial_model(config.model.init_from);
  } catch (const Error& error) {
    throw Error(error.code(), cat(place, ": model.init_from: ", error.what()));
  }
  const auto is_set = [&](const std::string& key) { return loaded.positions.is_set(key); };
  Config with_initial = config;
  with_initial.model = initial.config;
  with_initial.model.init_from = config.model.init_from;
  with_initial.model.lora = adopted_adapters(loaded, initial.config);
  if (is_set("model.dropout")) with_initial.model.dropout = config.model.dropout;
  const bool has_new_head = !predicts_text(config.task);
  if (is_set("model.head") || has_new_head) with_initial.model.head = config.model.head;
  // A model that was trained for the same head keeps its labels, unless others are named.
  const bool keeps_labels = has_label_names(config.task) &&
                            initial.config.head == config.model.head && !is_set("model.labels");
  if (!keeps_labels) with_initial.model.labels = config.model.labels;
  if (with_initial.model.head != HeadKind::kNone) with_initial.model.pooler = ModelConfig().pooler;
  if (is_set("model.init_std")) with_initial.model.init_std = config.model.init_std;
  with_initial.model.vocab_size = std::max(config.model.vocab_size, initial.num_tokens);

  for (const ConfigChange& change : config_changes(values_of(with_initial), values_of(config))) {
    const std::string& key = change.key;
    if (!key.starts_with("model.") || is_free(key) || !is_set(key)) continue;
    throw ConfigError(cat(loaded.positions.at(key), ": ", key, " = ", change.now, ", but ",
                          config.model.init_from, " has ", change.before, "; leave it out"));
  }
  config = with_initial;
  const bool names_tokenizer = is_set("tokenizer.path") || is_set("tokenizer.vocab_size");
  if (!names_tokenizer) config.tokenizer.path = initial.folder.string();
  // Another tokenizer has other ids, which these files know nothing of.
  const bool is_other = names_tokenizer && fs::weakly_canonical(config.tokenizer.path) !=
                                               fs::weakly_canonical(initial.folder);
  if (is_other && !initial.companions.empty()) {
    log_info(cat("the end tokens, sampling and chat template of ", config.model.init_from,
                 " are left behind, because its tokenizer is not the run's"));
    initial.companions.clear();
  }
  return initial;
}

namespace {

// What is drawn at random must be trained; an adapter's B may stay zero.
void require_trained(const InitialModel& initial, const std::vector<std::string>& lacking,
                     const ParameterStore& store) {
  for (const Parameter* parameter : store.parameters()) {
    const std::string& name = parameter->spec().name;
    if (parameter->is_trained() || std::ranges::find(lacking, name) == lacking.end()) continue;
    throw ConfigError(cat(initial.folder.string(), " lacks ", name,
                          ", which would begin anew and is frozen (train.freeze, lora.rank); train "
                          "it, or begin with a model that has it"));
  }
}

}  // namespace

void load_initial_weights(const InitialModel& initial, const ModelConfig& model,
                          ParameterStore& store) {
  // A head says something else where it is of another kind, or its labels are others.
  const bool is_same_head = initial.config.head == model.head &&
                            (initial.config.labels == model.labels ||
                             (initial.config.is_regression() && model.is_regression()));
  Filling filling(store);
  const auto take = [&](const std::string& name, const at::Tensor& logical) {
    if (is_same_head || !name.starts_with("labels.")) filling.take(name, logical);
  };
  if (initial.config.lora.is_on()) {
    NamedTensors weights = read_weights(initial.folder, *initial.manifest);
    merge_adapters(initial.config, weights);
    for (const auto& [name, tensor] : weights) take(name, tensor);
  } else if (initial.manifest) {
    for (const Manifest::StoredTensor& stored : initial.manifest->tensors) {
      if (stored.group == kWeights)
        take(stored.name, read_tensor(initial.folder, *initial.manifest, stored));
    }
  } else {
    const SafetensorsFolder files(initial.folder);
    visit_weights(files, initial.config, initial.num_tokens, initial.folder.string(), take);
    visit_pooler(files, initial.config, model, initial.num_tokens, take);
  }
  if (!model.lora.init_from.empty()) {
    for (const auto& [name, tensor] : read_adapter(model.lora.init_from, model, initial.num_tokens))
      filling.take(name, tensor);
  }
  std::vector<std::string> lacking =
      filling.finish([&](const std::string& name) { return is_of_head(model, name); });
  require_trained(initial, lacking, store);
  std::erase_if(lacking, is_of_adapter);
  if (!lacking.empty())
    log_info(cat(initial.folder.string(), " lacks ", join(lacking, ", "), ", which begin anew"));
}

}  // namespace lmtrain
