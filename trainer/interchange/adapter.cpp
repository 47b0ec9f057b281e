#include "trainer/interchange/adapter.h"

#include <algorithm>
#include <set>
#include <vector>

#include <ATen/ATen.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "models/families/families.h"
#include "models/huggingface/config_json.h"
#include "models/huggingface/safetensors.h"
#include "models/lora.h"
#include "models/model_sizes.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kConfigFile[] = "adapter_config.json";
constexpr char kTensorsFile[] = "adapter_model.safetensors";
constexpr char kRoot[] = "base_model.model.";
constexpr std::string_view kWeight = ".weight";

struct AdaptedWeight {
  std::string name;  // "blocks.0.attention.qkv"
  LoraAdapter adapter;
};

std::vector<AdaptedWeight> adapted_weights(const ModelConfig& model) {
  std::vector<AdaptedWeight> all;
  for (int64_t i = 0; i < model.num_layers; ++i) {
    for (const char* part :
         {"attention.qkv", "attention.output", "feed_forward.up", "feed_forward.down"}) {
      const std::string name = cat("blocks.", i, ".", part);
      for (const LoraAdapter& adapter : lora_adapters(model, name)) all.push_back({name, adapter});
    }
  }
  return all;
}

bool is_within(const TensorPart& part, const AdaptedWeight& weight) {
  const MatrixSlice& slice = weight.adapter.slice;
  return part.parameter == weight.name + std::string(kWeight) && part.dim == slice.dim &&
         part.start >= slice.begin && part.start + part.length <= slice.begin + slice.count;
}

// Where the tensors of a PEFT folder lie in those of lmtrain.
std::vector<TensorPart> parts_of_adapter(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  const std::vector<TensorPart> parts = tensor_map_of(model, num_tokens).parts;
  for (const AdaptedWeight& weight : adapted_weights(model)) {
    bool has_a = false;
    for (const TensorPart& part : parts) {
      if (!is_within(part, weight)) continue;
      const std::string layer = kRoot + part.name.substr(0, part.name.size() - kWeight.size());
      if (!has_a) map.add_whole(weight.adapter.a, layer + ".lora_A.weight", model.lora.rank);
      has_a = true;
      TensorPart of_b = part;
      of_b.parameter = weight.adapter.b;
      of_b.name = layer + ".lora_B.weight";
      of_b.is_transposed = false;
      of_b.start -= weight.adapter.slice.begin;
      map.add_slice(of_b);
    }
  }
  const std::vector<std::string> head = parameters_of_label_head(model);
  for (const TensorPart& part : parts) {
    const bool is_bias = part.parameter.ends_with(".bias");
    const std::string layer = part.parameter.substr(0, part.parameter.rfind('.'));
    // Of the layers that share a bias here, only those with adapters are wrapped by peft.
    const bool is_adapted =
        is_bias &&
        std::ranges::any_of(lora_adapters(model, layer), [&](const LoraAdapter& adapter) {
          return part.name.substr(0, part.name.rfind('.')).ends_with("." + adapter.layer);
        });
    const bool is_trained_bias = is_bias && trains_bias(model.lora, is_adapted);
    const bool is_of_head = std::ranges::find(head, part.parameter) != head.end();
    if (!is_trained_bias && !is_of_head) continue;
    TensorPart beside = part;
    const size_t end = part.name.rfind('.');
    beside.name = cat(kRoot, part.name.substr(0, end), is_adapted ? ".base_layer" : "",
                      part.name.substr(end));
    map.add_slice(beside);
  }
  return map.parts;
}

std::string task_type(const ModelConfig& model) {
  if (model.answers_questions()) return "QUESTION_ANS";
  if (model.head == HeadKind::kTokenClassification) return "TOKEN_CLS";
  if (model.classifies_texts()) return "SEQ_CLS";
  return model.traits().predicts_next_token() ? "CAUSAL_LM" : "FEATURE_EXTRACTION";
}

json config_of(const ModelConfig& model, const std::string& base) {
  std::set<std::string> layers;
  for (const AdaptedWeight& weight : adapted_weights(model)) layers.insert(weight.adapter.layer);
  // peft takes modules by their names: a head as a whole, a pooler alone.
  std::set<std::string> heads;
  const std::vector<std::string> head = parameters_of_label_head(model);
  const TensorMap map = tensor_map_of(model, /*num_tokens=*/1);
  for (const TensorPart& part : map.parts) {
    if (std::ranges::find(head, part.parameter) == head.end()) continue;
    heads.insert(part.name.substr(
        0, part.name.starts_with(map.root) ? part.name.rfind('.') : part.name.find('.')));
  }
  return {{"peft_type", "LORA"},
          {"task_type", task_type(model)},
          {"base_model_name_or_path", base},
          {"r", model.lora.rank},
          {"lora_alpha", model.lora.alpha},
          {"lora_dropout", 0.0},
          {"use_rslora", model.lora.scaling == LoraScaling::kRankStabilised},
          {"bias", name_of(model.lora.bias)},
          {"target_modules", layers},
          {"modules_to_save", heads.empty() ? json() : json(heads)},
          {"fan_in_fan_out", model.kind == "gpt2"},
          {"inference_mode", true}};
}

}  // namespace

void merge_adapters(const ModelConfig& model, NamedTensors& weights) {
  const double scale = lora_scale(model.lora);
  for (const AdaptedWeight& one : adapted_weights(model)) {
    const auto taken = [&](const std::string& name) {
      return weights.extract(name).mapped().to(at::kDouble);
    };
    const at::Tensor a = taken(one.adapter.a);
    const at::Tensor b = taken(one.adapter.b);
    const MatrixSlice& slice = one.adapter.slice;
    at::Tensor place =
        weights.at(one.name + std::string(kWeight)).narrow(slice.dim, slice.begin, slice.count);
    const at::Tensor product = at::mm(b.view({-1, b.size(-1)}), a).mul_(scale);
    place.copy_(place.to(at::kDouble).add_(product.view(place.sizes())));
  }
}

void write_adapter(const fs::path& out, const ModelConfig& model, int64_t num_tokens,
                   const std::string& base, const NamedTensors& weights, at::ScalarType type) {
  const std::vector<TensorPart> parts = parts_of_adapter(model, num_tokens);
  NamedTensors ours;
  for (const TensorPart& part : parts) ours[part.parameter] = weights.at(part.parameter).to(type);
  write_safetensors(out / kTensorsFile, to_huggingface(parts, ours));
  // It is written last, because it makes the folder an adapter.
  write_file_durably(out / kConfigFile, config_of(model, base).dump(2) + "\n");
}

LoraConfig read_adapter_config(const fs::path& folder, const ModelConfig& model) {
  const fs::path path = folder / kConfigFile;
  if (!fs::exists(path))
    throw DataError(cat(folder.string(), fs::is_directory(folder)
                                             ? cat(" has no ", kConfigFile, ": it is no adapter")
                                             : " is no folder"));
  const json value = load_config_json(path);
  ConfigJson from(value, path.string());
  from.must_be_one_of("peft_type", {"LORA"});
  for (const char* other : {"use_dora", "lora_bias", "use_qalora"}) from.must_be(other, false);
  for (const char* other : {"rank_pattern", "alpha_pattern"}) {
    if (value.contains(other) && !value[other].empty())
      from.fail(other, "is not available; all adapters have one rank and one alpha");
  }
  for (const char* other :
       {"layers_to_transform", "exclude_modules", "layer_replication", "trainable_token_indices",
        "target_parameters", "alora_invocation_tokens", "eva_config", "corda_config",
        "lora_ga_config", "arrow_config", "kasa_config", "use_bdlora"}) {
    const json given = value.value(other, json());
    if (!given.is_null() && given != false && !given.empty()) from.fail(other, "is not available");
  }
  // peft changes the base's weights for other kinds.
  const json init = value.value("init_lora_weights", json(true));
  if (!init.is_boolean() && init != "gaussian")
    from.fail("init_lora_weights",
              cat(init.dump(), " is not available: it changes the base's weights"));
  if (from.real("lora_dropout", 0.0) > 0)
    log_info(cat(path.string(), ": lora_dropout is left out; adapters have none here"));
  LoraConfig lora;
  lora.rank = from.integer("r");
  lora.alpha = from.real("lora_alpha", 8.0);
  if (value.contains("use_rslora") && value["use_rslora"] == true)
    lora.scaling = LoraScaling::kRankStabilised;
  const std::string bias = from.text("bias", "none");
  const auto known = choice_of<LoraBias>(bias);
  if (!known)
    from.fail("bias", cat(show_text(bias), " is not available; none, all and lora_only are"));
  lora.bias = *known;
  const json targets = value.value("target_modules", json());
  lora.targets.clear();
  if (targets.is_string()) lora.targets = {targets.get<std::string>()};
  if (targets.is_array()) {
    for (const json& target : targets) {
      if (!target.is_string()) from.fail("target_modules", "must hold names");
      lora.targets.push_back(target.get<std::string>());
    }
  }
  ModelConfig adapted = model;
  adapted.lora = lora;
  const std::vector<std::string> without = targets_without_layer(adapted);
  if (lora.targets.empty() || !without.empty()) {
    from.fail("target_modules", without.empty() ? std::string("names no layer")
                                                : cat(show_text(without.front()),
                                                      " is no layer of this model; it has ",
                                                      join(lora_layers(model), ", ")));
  }
  return lora;
}

NamedTensors read_adapter(const fs::path& folder, const ModelConfig& model, int64_t num_tokens) {
  const SafetensorsFile file(folder / kTensorsFile);
  const std::string place = (folder / kTensorsFile).string();
  std::vector<TensorPart> parts = parts_of_adapter(model, num_tokens);
  // peft leaves a pooler alone unless it is told to train it.
  std::erase_if(parts, [&](const TensorPart& part) {
    return part.parameter.starts_with("pooler.") && !file.entries().contains(part.name);
  });
  const NamedShapes shapes = logical_shapes(*declared_parameters(model, num_tokens));
  NamedTensors theirs;
  for (const auto& [name, shape] : huggingface_shapes(parts, shapes)) {
    const auto found = file.entries().find(name);
    if (found == file.entries().end())
      throw DataError(cat(place, ": there is no tensor '", name, "'"));
    if (found->second.shape != shape)
      throw DataError(cat(place, ": the tensor '", name, "' has another shape than ", kConfigFile,
                          " and the model make it"));
    theirs[name] = file.read(name);
  }
  for (const auto& [name, entry] : file.entries()) {
    // With trained biases peft also writes those of a head's wrappers.
    const bool is_of_wrapper = name.find(".modules_to_save.") != std::string::npos ||
                               name.find(".original_module.") != std::string::npos;
    if (!theirs.contains(name) && !is_of_wrapper)
      throw DataError(cat(place, ": the tensor ", show_text(name), " is not of these adapters",
                          name.find(".lora_") == std::string::npos
                              ? ": the model has no such head; take it with the class that has one"
                              : ""));
  }
  return from_huggingface(parts, theirs, shapes);
}

}  // namespace lmtrain
